//! Who is told when somebody must act: by a webhook, a chat, or mail.
//!
//! Where to is in the settings alone, never in a call; it is secret, and only a host is ever shown.
//! Nothing here is on the path of a request: a task looks every few seconds, and telling takes its time
//! beside everything else.

mod mail;
mod message;
mod watch;

use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use rustls::ClientConfig;

pub use message::{Kind, Message, Phase};
pub use watch::{Now, Sight, Watch};

use crate::alerts::mail::Mailer;
use crate::config::Alerts as Rules;
use crate::config::HookForm;
use crate::config::outbound_proxy::OutboundProxy;
use crate::random;
use crate::secret::Secret;
use crate::upstream::Line;

/// How long telling one receiver may take.
const TIMEOUT: Duration = Duration::from_secs(15);
/// How often one that could not be told is tried.
const TRIES: u32 = 3;
/// How long to wait before the next try.
const PAUSE: Duration = Duration::from_secs(5);

/// Everybody who is told.
#[derive(Debug)]
pub struct Alerts {
    receivers: Vec<Receiver>,
    watch: Mutex<Watch>,
    /// When the last test began, in ms since the start.
    tested_ms: Mutex<Option<u64>>,
}

/// Another test was begun shortly before.
#[derive(Clone, Copy, Debug)]
pub struct TooSoon;

/// Somebody who is told.
#[derive(Debug)]
struct Receiver {
    name: &'static str,
    /// What may be shown of where it is.
    place: String,
    way: Way,
}

#[derive(Debug)]
enum Way {
    Hook { line: Line, path: Secret, form: HookForm, token: Option<Secret> },
    Telegram { line: Line, path: Secret, chat: String },
    Mail(Mailer),
}

/// Who would be told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Told {
    /// `webhook`, `telegram` or `mail`.
    pub receiver: &'static str,
    /// Where it is, without anything secret.
    pub place: String,
    /// Why it could not be told; `None` if it was.
    pub problem: Option<String>,
}

impl Alerts {
    /// Prepares the ways to all receivers.
    ///
    /// # Errors
    ///
    /// A host that no header can carry; the settings have refused most of them before.
    pub fn new(
        rules: &Rules,
        proxies: &OutboundProxy,
        tls: &Arc<ClientConfig>,
    ) -> Result<Self, http::Error> {
        let mut receivers = Vec::new();
        if let Some(hook) = &rules.webhook {
            let line = Line::new(&hook.url.base, proxies, Arc::clone(tls), TIMEOUT)?;
            let (path, form, token) = (hook.url.path.clone(), hook.form, hook.token.clone());
            let way = Way::Hook { line, path, form, token };
            receivers.push(Receiver { name: "webhook", place: hook.url.to_string(), way });
        }
        if let Some(telegram) = &rules.telegram {
            let line = Line::new(&telegram.api.base, proxies, Arc::clone(tls), TIMEOUT)?;
            let base = telegram.api.path.expose().trim_end_matches('/');
            let path = Secret::new(format!("{base}/bot{}/sendMessage", telegram.token.expose()));
            let way = Way::Telegram { line, path, chat: telegram.chat.clone() };
            receivers.push(Receiver { name: "telegram", place: telegram.api.to_string(), way });
        }
        if let Some(mail) = &rules.mail {
            let way = Way::Mail(Mailer::new(mail, Arc::clone(tls), TIMEOUT)?);
            receivers.push(Receiver { name: "mail", place: mail.server.to_string(), way });
        }
        Ok(Self { receivers, watch: Mutex::default(), tested_ms: Mutex::default() })
    }

    /// Whether there is nobody to tell.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.receivers.is_empty()
    }

    /// Who is told, as if everybody had been.
    #[must_use]
    pub fn receivers(&self) -> Vec<Told> {
        self.receivers.iter().map(|receiver| receiver.told(None)).collect()
    }

    /// What was told and holds.
    #[must_use]
    pub fn holding(&self) -> Vec<Kind> {
        self.watch.lock().told()
    }

    /// Takes a look by the rules of this moment, and answers what is to be told.
    #[must_use]
    pub fn look(&self, sight: &Sight, rules: &Rules, now: Now) -> Vec<Message> {
        self.watch.lock().look(sight, rules, now)
    }

    /// Tells everybody; who cannot be told at once is tried again.
    ///
    /// # Cancellation
    ///
    /// Who was not told yet is not told.
    pub async fn tell(&self, message: &Message) {
        for receiver in &self.receivers {
            let (kind, phase, receiver_name) = (message.kind, message.phase, receiver.name);
            for further in (0..TRIES).rev() {
                match receiver.tell(message).await {
                    Ok(()) => {
                        tracing::info!(
                            ?kind,
                            ?phase,
                            receiver = receiver_name,
                            "an alert was told"
                        );
                        break;
                    }
                    Err(problem) if further == 0 => tracing::warn!(
                        ?kind,
                        ?phase,
                        receiver = receiver_name,
                        problem,
                        "an alert could not be told"
                    ),
                    Err(_) => tokio::time::sleep(PAUSE).await,
                }
            }
        }
    }

    /// Begins a test, unless another one has begun within `pause`.
    ///
    /// # Errors
    ///
    /// [`TooSoon`].
    pub fn begin_test(&self, now_ms: u64, pause: Duration) -> Result<(), TooSoon> {
        let mut tested_ms = self.tested_ms.lock();
        let pause_ms = u64::try_from(pause.as_millis()).unwrap_or(u64::MAX);
        if tested_ms.is_some_and(|tested_ms| now_ms < tested_ms.saturating_add(pause_ms)) {
            return Err(TooSoon);
        }
        *tested_ms = Some(now_ms);
        Ok(())
    }

    /// Tells everybody once, and answers how it went.
    pub async fn test(&self, message: &Message) -> Vec<Told> {
        let mut told = Vec::with_capacity(self.receivers.len());
        for receiver in &self.receivers {
            let problem = receiver.tell(message).await.err();
            told.push(receiver.told(problem));
        }
        told
    }
}

impl Receiver {
    fn told(&self, problem: Option<String>) -> Told {
        Told { receiver: self.name, place: self.place.clone(), problem }
    }

    async fn tell(&self, message: &Message) -> Result<(), String> {
        let answer = match &self.way {
            Way::Hook { line, path, form, token } => {
                let (headers, body) = message.posted(*form, token.as_ref());
                line.post(path.expose(), headers, body).await
            }
            Way::Telegram { line, path, chat } => {
                let (headers, body) = message.for_telegram(chat);
                line.post(path.expose(), headers, body).await
            }
            Way::Mail(mailer) => {
                let unique = random::random_bytes().map_err(|error| error.to_string())?;
                let sent = mailer.send(message, u128::from_le_bytes(unique)).await;
                return sent.map_err(|error| error.to_string());
            }
        };
        match answer {
            Ok(status) if status.is_success() => Ok(()),
            Ok(status) => Err(format!("it answered {}", status.as_u16())),
            Err(error) => Err(error.to_string()),
        }
    }
}
