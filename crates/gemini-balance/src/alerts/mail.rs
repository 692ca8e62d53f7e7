//! One mail to a mail server, as RFC 5321 has it, and no more of it than that takes.
//!
//! A login and a message go over TLS, or not at all; to this machine itself they may go in clear. What
//! goes into the message is base64, so that no line of it can be taken for a command.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use jiff::Timestamp;
use jiff::fmt::rfc2822;
use jiff::tz::TimeZone;
use rustls::ClientConfig;
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader};
use tokio_util::either::Either;

use crate::alerts::message::Message;
use crate::config::Mail;
use crate::config::base_url::BaseUrl;
use crate::config::outbound_proxy::OutboundProxy;
use crate::upstream::{ConnectError, Line, Stream};

/// Longest line of a reply, in bytes; RFC 5321 has 512.
const LINE_BYTES_MAX: u64 = 4 * 1024;
/// Most lines of one reply.
const LINES_MAX: usize = 100;
/// Letters of base64 in a line; RFC 2045 has 76.
const LETTERS_MAX: usize = 76;

/// Sends mail the way the settings say.
#[derive(Debug)]
pub(super) struct Mailer {
    settings: Mail,
    line: Line,
    is_near: bool,
    timeout: Duration,
}

/// Why a mail was not taken. No address and no secret is in it.
#[derive(Debug, thiserror::Error)]
pub(super) enum MailError {
    /// No connection could be made.
    #[error("{0}")]
    Connect(#[from] ConnectError),
    /// The connection broke.
    #[error("the connection broke: {0}")]
    Io(#[from] io::Error),
    /// The whole took too long.
    #[error("it took too long")]
    Timeout,
    /// The server offers no TLS.
    #[error("the server offers no TLS; write smtps:// if it speaks TLS from the start")]
    NoTls,
    /// The server offers no way to log in that we know.
    #[error("the server takes no login by PLAIN or LOGIN")]
    NoLogin,
    /// The server said no, with this code, to what is named.
    #[error("the server answered {code} to {step}")]
    Refused {
        /// What it was told.
        step: &'static str,
        /// What it answered.
        code: u16,
    },
    /// What came back is no SMTP.
    #[error("the server does not speak SMTP")]
    Protocol,
}

impl Mailer {
    pub(super) fn new(
        settings: &Mail,
        tls: Arc<ClientConfig>,
        timeout: Duration,
    ) -> Result<Self, http::Error> {
        let server = &settings.server;
        let base = BaseUrl {
            is_https: server.is_tls_at_once,
            host: server.host.clone(),
            port: server.port,
            path: String::new(),
        };
        let is_near = base.address().is_some_and(|address| address.is_loopback());
        let line = Line::new(&base, &OutboundProxy::default(), tls, timeout)?;
        Ok(Self { settings: settings.clone(), line, is_near, timeout })
    }

    /// Sends a message; `unique` is like no other number.
    pub(super) async fn send(&self, message: &Message, unique: u128) -> Result<(), MailError> {
        let sending = self.send_unlimited(message, unique);
        tokio::time::timeout(self.timeout, sending).await.map_err(|_| MailError::Timeout)?
    }

    async fn send_unlimited(&self, message: &Message, unique: u128) -> Result<(), MailError> {
        let Mail { server, from, to } = &self.settings;
        let domain = from.split_once('@').map_or("localhost", |(_, domain)| domain);
        let mut talk = Talk::new(self.line.open().await?);
        talk.expect("the connection", 220).await?;
        let mut offers = talk.hello(domain).await?;
        if !server.is_tls_at_once {
            if offers.iter().any(|offer| offer == "STARTTLS") {
                talk.say("STARTTLS", "STARTTLS", 220).await?;
                talk = Talk::new(talk.secured(&self.line).await?);
                offers = talk.hello(domain).await?;
            } else if !self.is_near {
                return Err(MailError::NoTls);
            }
        }
        if let Some((user, password)) = &server.login {
            talk.log_in(&offers, user.expose(), password.expose()).await?;
        }
        talk.say("MAIL FROM", &format!("MAIL FROM:<{from}>"), 250).await?;
        for to in to {
            talk.say("RCPT TO", &format!("RCPT TO:<{to}>"), 250).await?;
        }
        talk.say("DATA", "DATA", 354).await?;
        let text = text(message, &self.settings, domain, unique);
        talk.say("the message", &format!("{text}\r\n."), 250).await?;
        // It is taken; a server that does not say goodbye has taken it all the same.
        drop(talk.say("QUIT", "QUIT", 221).await);
        Ok(())
    }
}

/// A conversation with a server.
struct Talk {
    stream: BufReader<Stream>,
}

impl Talk {
    fn new(stream: Stream) -> Self {
        Self { stream: BufReader::new(stream) }
    }

    /// Introduces us, and answers what the server offers, in upper case.
    async fn hello(&mut self, domain: &str) -> Result<Vec<String>, MailError> {
        self.write(&format!("EHLO {domain}")).await?;
        let (code, lines) = self.reply().await?;
        if code != 250 {
            return Err(MailError::Refused { step: "EHLO", code });
        }
        Ok(lines.into_iter().map(|line| line.to_ascii_uppercase()).collect())
    }

    async fn log_in(
        &mut self,
        offers: &[String],
        user: &str,
        password: &str,
    ) -> Result<(), MailError> {
        let methods = offers.iter().find_map(|offer| offer.strip_prefix("AUTH"));
        let offers = |method: &str| {
            methods.is_some_and(|methods| methods.split([' ', '=']).any(|it| it == method))
        };
        if offers("PLAIN") {
            let login = STANDARD.encode(format!("\0{user}\0{password}"));
            return self.say("the login", &format!("AUTH PLAIN {login}"), 235).await;
        }
        if offers("LOGIN") {
            self.say("the login", "AUTH LOGIN", 334).await?;
            self.say("the login", &STANDARD.encode(user), 334).await?;
            return self.say("the login", &STANDARD.encode(password), 235).await;
        }
        Err(MailError::NoLogin)
    }

    /// Says something and wants a certain answer.
    async fn say(&mut self, step: &'static str, text: &str, code: u16) -> Result<(), MailError> {
        self.write(text).await?;
        self.expect(step, code).await
    }

    async fn expect(&mut self, step: &'static str, wanted: u16) -> Result<(), MailError> {
        let (code, _) = self.reply().await?;
        // 251 to a recipient: the server forwards it.
        let is_fine = code == wanted || (wanted == 250 && code == 251);
        if is_fine { Ok(()) } else { Err(MailError::Refused { step, code }) }
    }

    async fn write(&mut self, text: &str) -> Result<(), MailError> {
        self.stream.write_all(format!("{text}\r\n").as_bytes()).await?;
        Ok(self.stream.flush().await?)
    }

    /// A reply: its code and the texts of its lines.
    async fn reply(&mut self) -> Result<(u16, Vec<String>), MailError> {
        let mut lines = Vec::new();
        while lines.len() < LINES_MAX {
            let mut line = Vec::new();
            (&mut self.stream).take(LINE_BYTES_MAX).read_until(b'\n', &mut line).await?;
            if line.last() != Some(&b'\n') {
                return Err(MailError::Protocol);
            }
            let line = String::from_utf8_lossy(&line).trim_end().to_owned();
            let code = line.get(..3).and_then(|code| code.parse().ok());
            let code: u16 = code.ok_or(MailError::Protocol)?;
            lines.push(line.get(4..).unwrap_or_default().to_owned());
            if !line.get(3..).unwrap_or_default().starts_with('-') {
                return Ok((code, lines));
            }
        }
        Err(MailError::Protocol)
    }

    /// Goes on in TLS. What came before that was not asked for is not trusted behind it.
    async fn secured(self, line: &Line) -> Result<Stream, MailError> {
        if !self.stream.buffer().is_empty() {
            return Err(MailError::Protocol);
        }
        match self.stream.into_inner() {
            Either::Left(stream) => Ok(line.secure(stream).await?),
            Either::Right(_) => Err(MailError::Protocol),
        }
    }
}

/// The mail as it goes over the wire, without the dot at its end.
fn text(message: &Message, settings: &Mail, domain: &str, unique: u128) -> String {
    let Mail { from, to, .. } = settings;
    let at = Timestamp::from_millisecond(message.at_ms).unwrap_or_default();
    let date = rfc2822::to_string(&at.to_zoned(TimeZone::UTC)).unwrap_or_default();
    let body = format!("{}\r\n\r\n{}\r\n", message.title, message.text());
    let letters = STANDARD.encode(body);
    let lines: Vec<&str> = letters
        .as_bytes()
        .chunks(LETTERS_MAX)
        .map(|line| str::from_utf8(line).unwrap_or_default())
        .collect();
    format!(
        "From: Gemini Balance <{from}>\r\nTo: {to}\r\nSubject: {title}\r\nDate: {date}\r\n\
         Message-ID: <{unique:032x}@{domain}>\r\nAuto-Submitted: auto-generated\r\n\
         MIME-Version: 1.0\r\nContent-Type: text/plain; charset=utf-8\r\n\
         Content-Transfer-Encoding: base64\r\n\r\n{lines}",
        to = to.join(", "),
        title = message.title,
        lines = lines.join("\r\n"),
    )
}
