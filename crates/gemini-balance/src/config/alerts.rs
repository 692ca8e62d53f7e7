//! Where alerts go and when they are silent, as they are written in the settings.
//!
//! An address for messages is a secret as a whole: whoever knows it may write there. Of each only the
//! host is ever shown.

use std::fmt;
use std::str::FromStr;

use http::Uri;
use jiff::tz::TimeZone;
use percent_encoding::percent_decode_str;

use crate::config::base_url::{self, BaseUrl};
use crate::config::network::Reach;
use crate::config::reader::Kind;
use crate::secret::Secret;

pub(super) const HOOK_URL: Kind<HookUrl> =
    Kind { form: "URL, http or https", parse: |text| text.parse() };

pub(super) const MAIL_SERVER: Kind<MailServer> =
    Kind { form: "smtps://user:password@host or smtp://…", parse: |text| text.parse() };

pub(super) const MAILBOX: Kind<String> = Kind { form: "mail addresses", parse: mailbox };

pub(super) const QUIET_HOURS: Kind<QuietHours> =
    Kind { form: "hours such as 22:00-07:00", parse: |text| text.parse() };

pub(super) const ZONE: Kind<Zone> =
    Kind { form: "time zone such as Europe/Berlin", parse: |text| text.parse() };

/// An address that takes messages by `POST`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HookUrl {
    /// Scheme, host and port; its path is empty.
    pub base: BaseUrl,
    /// Path and query.
    pub path: Secret,
}

impl FromStr for HookUrl {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let problem = "must be a URL such as https://host/path, without a user";
        let uri: Uri = text.parse().map_err(|_| problem)?;
        let (Some(scheme), Some(authority)) = (uri.scheme_str(), uri.authority()) else {
            return Err(problem.to_owned());
        };
        let base: BaseUrl = format!("{scheme}://{authority}").parse()?;
        if base.problem(Reach::Private).is_some() {
            return Err("points to a link-local or metadata address; that is never allowed".into());
        }
        let path = uri.path_and_query().map_or("/", |path| path.as_str());
        Ok(Self { base, path: Secret::new(path) })
    }
}

impl fmt::Display for HookUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let scheme = if self.base.is_https { "https" } else { "http" };
        write!(f, "{scheme}://{}/[secret]", self.base.authority())
    }
}

/// A mail server that takes what we send.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MailServer {
    /// Whether TLS begins with the connection (`smtps`) or after a greeting (`smtp`).
    pub is_tls_at_once: bool,
    /// A name in lower case, or an address; IPv6 without brackets.
    pub host: String,
    /// The port, also when it is the scheme's own.
    pub port: u16,
    /// User and password, when it asks for them.
    pub login: Option<(Secret, Secret)>,
}

impl FromStr for MailServer {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let problem = "must be smtps://user:password@host or smtp://user:password@host:587";
        let (scheme, rest) = text.split_once("://").ok_or(problem)?;
        let (is_tls_at_once, own_port) = match scheme.to_lowercase().as_str() {
            "smtps" => (true, 465),
            "smtp" => (false, 587),
            _ => return Err(problem.to_owned()),
        };
        let authority = rest.trim_end_matches('/');
        let (login, address) = match authority.rsplit_once('@') {
            Some((login, address)) => (Some(login), address),
            None => (None, authority),
        };
        let address: http::uri::Authority = address.parse().map_err(|_| problem)?;
        let host = base_url::written_host(&address)?;
        let port = base_url::written_port(&address)?.unwrap_or(own_port);
        let decoded = |text: &str| {
            let decoded = percent_decode_str(text).decode_utf8();
            decoded
                .map(Secret::new)
                .map_err(|_| "must have its user and password percent-encoded as UTF-8".to_owned())
        };
        let login = login.map(|login| {
            let (user, password) = login.split_once(':').ok_or(problem)?;
            Ok::<_, String>((decoded(user)?, decoded(password)?))
        });
        Ok(Self { is_tls_at_once, host, port, login: login.transpose()? })
    }
}

impl fmt::Display for MailServer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let scheme = if self.is_tls_at_once { "smtps" } else { "smtp" };
        let login = if self.login.is_some() { "[secret]@" } else { "" };
        let host =
            if self.host.contains(':') { format!("[{}]", self.host) } else { self.host.clone() };
        write!(f, "{scheme}://{login}{host}:{}", self.port)
    }
}

/// Hours of each day in which nobody is woken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct QuietHours {
    /// Minutes after midnight at which they begin.
    pub from: u32,
    /// Minutes after midnight at which they end; before `from`, they last over midnight.
    pub until: u32,
}

impl QuietHours {
    /// Whether a time of the day, in minutes after midnight, is among them.
    #[must_use]
    pub fn contain(&self, minute: u32) -> bool {
        if self.from <= self.until {
            self.from <= minute && minute < self.until
        } else {
            self.from <= minute || minute < self.until
        }
    }
}

impl FromStr for QuietHours {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let problem = || "must be hours such as 22:00-07:00".to_owned();
        let minutes = |text: &str| -> Option<u32> {
            let (hour, minute) = text.trim().split_once(':')?;
            let is_short =
                |text: &str| text.len() <= 2 && text.bytes().all(|it| it.is_ascii_digit());
            if !is_short(hour) || !is_short(minute) {
                return None;
            }
            let (hour, minute) = (hour.parse::<u32>().ok()?, minute.parse::<u32>().ok()?);
            (hour < 24 && minute < 60).then_some(hour * 60 + minute)
        };
        let (from, until) = text.split_once('-').ok_or_else(problem)?;
        match (minutes(from), minutes(until)) {
            (Some(from), Some(until)) if from != until => Ok(Self { from, until }),
            _ => Err(problem()),
        }
    }
}

impl fmt::Display for QuietHours {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { from, until } = self;
        write!(f, "{:02}:{:02}-{:02}:{:02}", from / 60, from % 60, until / 60, until % 60)
    }
}

/// The zone in which hours of the day are meant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Zone {
    name: String,
    zone: TimeZone,
}

impl Zone {
    /// Universal time.
    #[must_use]
    pub fn utc() -> Self {
        Self { name: "UTC".to_owned(), zone: TimeZone::UTC }
    }

    /// Its rules.
    #[must_use]
    pub fn zone(&self) -> &TimeZone {
        &self.zone
    }
}

impl FromStr for Zone {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let zone = TimeZone::get(text);
        let zone = zone.map_err(|_| "must be a time zone such as Europe/Berlin".to_owned())?;
        Ok(Self { name: text.to_owned(), zone })
    }
}

impl fmt::Display for Zone {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.name)
    }
}

/// `name@host` without anything that could end a line or an address.
fn mailbox(text: &str) -> Result<String, String> {
    let is_plain = |text: &str| {
        !text.is_empty()
            && text.bytes().all(|byte| byte.is_ascii_graphic() && !b"<>()[]\\\",;:".contains(&byte))
    };
    let parts = text.split_once('@').filter(|(_, host)| !host.contains('@'));
    match parts {
        Some((name, host)) if is_plain(name) && is_plain(host) => Ok(text.to_owned()),
        Some(_) | None => Err("must be mail addresses such as admin@example.org".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_an_address_for_messages_only_the_host_is_shown() {
        let hook: HookUrl = "https://hooks.example/services/T0/canary?x=canary".parse().unwrap();

        assert_eq!(hook.to_string(), "https://hooks.example/[secret]");
        assert_eq!(hook.path.expose(), "/services/T0/canary?x=canary");
        assert!(!format!("{hook:?}").contains("canary"));
        for text in ["ftp://x/", "x", "https://u:p@x/", "http://169.254.169.254/latest"] {
            assert!(text.parse::<HookUrl>().is_err(), "{text}");
        }
    }

    #[test]
    fn a_mail_server_is_read_with_its_login_which_is_not_shown() {
        let server: MailServer = "smtps://me%40x.org:p%3Acanary@mail.example".parse().unwrap();

        assert_eq!(server.to_string(), "smtps://[secret]@mail.example:465");
        assert_eq!(server.login, Some((Secret::new("me@x.org"), Secret::new("p:canary"))));
        assert_eq!("smtp://[::1]:25".parse::<MailServer>().unwrap().to_string(), "smtp://[::1]:25");
        for text in ["mail.example", "http://mail.example", "smtp://user@mail.example", "smtp://"] {
            assert!(text.parse::<MailServer>().is_err(), "{text}");
        }
    }

    #[test]
    fn quiet_hours_may_last_over_midnight() {
        let night: QuietHours = "22:00-07:30".parse().unwrap();
        let noon: QuietHours = "12:00-13:00".parse().unwrap();

        for (minute, is_night, is_noon) in
            [(0, true, false), (449, true, false), (450, false, false), (720, false, true)]
        {
            assert_eq!((night.contain(minute), noon.contain(minute)), (is_night, is_noon));
        }
        assert!(night.contain(22 * 60) && !noon.contain(13 * 60));
        for text in ["22-7", "24:00-07:00", "07:00-07:00", "22:00", "-", "+1:00-2:00"] {
            assert!(text.parse::<QuietHours>().is_err(), "{text}");
        }
    }

    #[test]
    fn a_mail_address_cannot_bring_a_command_along() {
        assert!(mailbox("admin@example.org").is_ok());
        for text in ["admin", "a@b@c", "a@b>\r\nRCPT TO:<c@d", "a b@c", "<a@b>", "@b", "a@"] {
            assert!(mailbox(text).is_err(), "{text}");
        }
    }
}
