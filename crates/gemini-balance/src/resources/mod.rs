//! What the upstream keeps for one project: which keys see it, whose it is, until when.
//!
//! Memory answers every request and never waits; the store remembers, a moment later. The table is
//! bounded for each user key and on the whole. What was deleted or has ended is remembered for an
//! hour more: whoever still asks for it hears the upstream's own word, and no other project is
//! bothered.

mod live_token;
mod table;
mod ticket;
mod together;

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jiff::Timestamp;
use keypool::{KeyId, Kin};
pub use live_token::LiveToken;
use parking_lot::Mutex;
use sha2::{Digest, Sha256};
use table::{Resource, Table};
pub use ticket::Ticket;
use tokio::sync::Notify;

use crate::clock::Clock;
use crate::lifecycle::Lifecycle;
use crate::resources::together::Together;
use crate::secret::Secret;
use crate::store::Store;
use crate::store::error::StoreError;
use crate::store::resources::{ResourceChanges, ResourceRow};
use crate::vault::{Vault, VaultError};

/// Most resources that are remembered of one user key.
const PER_USER_MAX: usize = 50_000;
/// Most resources that are remembered at all.
const ALL_MAX: usize = 400_000;
/// How long one that was deleted or has ended is remembered as such.
const GONE_MS: i64 = 60 * 60 * 1_000;
/// How long a Live session can be resumed behind its last handle, and some more: Google says two
/// hours.
const RESUMABLE_MS: i64 = 3 * 60 * 60 * 1_000;
/// What the names of Live sessions begin with.
const SESSIONS: &str = "liveSessions/";
/// Most resources written in one transaction.
const WRITTEN_MAX: usize = 4_096;
/// How many are looked at before requests get their turn again.
const LOOKED_AT_MAX: usize = 512;
/// How long changes gather before they are written together.
const GATHER: Duration = Duration::from_millis(200);
/// How often what has ended is looked for.
const PRUNE_EVERY: Duration = Duration::from_secs(60);
/// Pause after the store refused a write, which is logged each time.
const STORE_PAUSE: Duration = Duration::from_secs(10);

/// Everything that is remembered of what upstreams keep.
#[derive(Debug)]
pub struct Resources {
    table: Mutex<Table>,
    changed: Notify,
    together: Together,
    vault: Arc<Vault>,
    clock: Clock,
    rules: Rules,
}

/// How resources are treated.
#[derive(Debug, Clone, Copy)]
pub struct Rules {
    /// Whether all user keys share what each has made.
    pub is_shared: bool,
    /// How long what a user key makes is kept together in one project; 0 = it is not.
    pub together_ms: u64,
}

/// What is known of a resource that somebody names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Found {
    /// Nothing: it was made elsewhere, or long ago.
    Unknown,
    /// It is another's.
    Foreign,
    /// These keys see it.
    Kept(Kin),
}

/// One that is there, for an admin.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Kept {
    /// Its root.
    pub name: Arc<str>,
    /// The keys that see it.
    pub kin: Kin,
    /// The user key that had it made.
    pub user: i64,
    /// In ms since the epoch.
    pub created_ms: i64,
    /// When it ends by itself, in ms since the epoch.
    pub expires_ms: Option<i64>,
}

impl Kept {
    /// What it is: all of the name but its last segment, as `files`.
    pub fn kind(&self) -> &str {
        self.name.rsplit_once('/').map_or("", |(kind, _)| kind)
    }
}

/// Which of them; what is not given does not matter.
#[derive(Debug, Clone, Default)]
pub struct Wanted {
    /// A text within the name, in lower case.
    pub words: String,
    /// What they are.
    pub kind: Option<String>,
    /// Whose they are.
    pub user: Option<i64>,
    /// The service key that made them.
    pub key: Option<KeyId>,
}

impl Wanted {
    fn includes(&self, name: &str, known: &Resource) -> bool {
        self.user.is_none_or(|user| user == known.user)
            && self.key.is_none_or(|key| key == known.kin.key)
            && (self.words.is_empty() || name.to_lowercase().contains(&self.words))
    }
}

/// A part of those that are wanted.
#[derive(Debug, Default)]
pub struct KeptPage {
    /// Those that end first come first.
    pub kept: Vec<Kept>,
    /// How many are wanted.
    pub total: usize,
    /// How many there would be of each kind.
    pub kinds: HashMap<String, usize>,
}

/// What an answer tells of a resource.
#[derive(Debug, Clone, Copy)]
pub struct Told<'a> {
    /// Its root.
    pub name: &'a str,
    /// The keys that see it.
    pub kin: &'a Kin,
    /// The user key that had it made.
    pub user: i64,
    /// When it ends, as the upstream says it.
    pub expires: Option<&'a str>,
}

impl Resources {
    /// Reads what the store remembers.
    ///
    /// # Errors
    ///
    /// As any read of the store.
    pub async fn load(
        store: &Store,
        vault: Arc<Vault>,
        clock: Clock,
        rules: Rules,
    ) -> Result<Self, StoreError> {
        let mut table = Table::default();
        let max = u32::try_from(ALL_MAX).unwrap_or(u32::MAX);
        for row in store.resources(clock.wall_ms().saturating_sub(GONE_MS), max).await? {
            let project = Some(row.project).filter(|label| !label.is_empty());
            let key = KeyId(row.service_key_id.cast_unsigned());
            table.load(
                &row.name,
                Resource {
                    kin: Kin { key, project: project.map(Into::into) },
                    user: row.user_key_id,
                    created_ms: row.created_at_ms,
                    expires_ms: row.expires_at_ms,
                    is_gone: row.is_gone,
                },
            );
        }
        Ok(Self {
            table: Mutex::new(table),
            changed: Notify::new(),
            together: Together::default(),
            vault,
            clock,
            rules,
        })
    }

    /// What is known of a resource, for this user key.
    pub fn find(&self, name: &str, user: i64) -> Found {
        match self.table.lock().get(name) {
            None => Found::Unknown,
            Some(known) if known.user != user && !self.rules.is_shared => Found::Foreign,
            Some(known) => Found::Kept(known.kin.clone()),
        }
    }

    /// Remembers a resource that was made. What another has is not taken from them.
    pub fn made(&self, told: Told<'_>) {
        let now_ms = self.clock.wall_ms();
        self.together.note(told.name, told.user, told.kin, self.clock.monotonic_ms());
        let life_ms = dialect::resource::life_ms_max(told.name);
        let expires_ms = told.expires.and_then(stated).or(life_ms.map(|life| now_ms + life));
        let mut table = self.table.lock();
        let known = table.get(told.name).filter(|known| known.is_live(now_ms));
        if known.is_some_and(|known| known.user != told.user) {
            return;
        }
        let resource = Resource {
            kin: told.kin.clone(),
            user: told.user,
            created_ms: known.map_or(now_ms, |known| known.created_ms),
            expires_ms,
            is_gone: false,
        };
        if known != Some(&resource) {
            table.put(told.name, resource);
            self.changed.notify_one();
        }
    }

    /// Notes when a resource ends, which may have been moved.
    pub fn prolong(&self, name: &str, expires: &str) {
        let mut table = self.table.lock();
        let (Some(known), Some(expires_ms)) = (table.get(name).cloned(), stated(expires)) else {
            return;
        };
        if !known.is_gone && known.expires_ms != Some(expires_ms) {
            table.put(name, Resource { expires_ms: Some(expires_ms), ..known });
            self.changed.notify_one();
        }
    }

    /// Notes that a resource is gone.
    pub fn forget(&self, name: &str) {
        let end_ms = self.clock.wall_ms();
        let mut table = self.table.lock();
        let Some(known) = table.get(name).filter(|known| !known.is_gone).cloned() else { return };
        table.put(name, Resource { expires_ms: Some(end_ms), is_gone: true, ..known });
        self.changed.notify_one();
    }

    /// The names of a kind that this user key may list, each with the keys that see it.
    pub fn listed(&self, kind: &str, user: i64) -> Vec<(Arc<str>, Kin)> {
        let now_ms = self.clock.wall_ms();
        let table = self.table.lock();
        let is_kind =
            |name: &str| name.strip_prefix(kind).and_then(|rest| rest.strip_prefix('/')).is_some();
        table
            .held(Some(user).filter(|_| !self.rules.is_shared))
            .filter(|(name, known)| is_kind(name) && !is_session(name) && known.is_live(now_ms))
            .map(|(name, known)| (Arc::clone(name), known.kin.clone()))
            .collect()
    }

    /// One that is there.
    pub fn kept(&self, name: &str) -> Option<Kept> {
        let now_ms = self.clock.wall_ms();
        let table = self.table.lock();
        let known = table.get(name).filter(|known| !is_session(name) && known.is_live(now_ms));
        known.map(|known| known.kept(name.into()))
    }

    /// Some of those that are there. They are looked at a handful at a time, so that no request waits
    /// for all of them; what changes meanwhile may be seen or not.
    pub fn page(&self, wanted: &Wanted, offset: usize, limit: usize) -> KeptPage {
        let now_ms = self.clock.wall_ms();
        let mut page = KeptPage::default();
        let mut last = None;
        loop {
            let some = self.table.lock().after(last.as_ref(), LOOKED_AT_MAX);
            let Some((end, _)) = some.last() else { return page };
            last = Some(end.clone());
            for ((_, name), known) in some {
                if is_session(&name) || !known.is_live(now_ms) || !wanted.includes(&name, &known) {
                    continue;
                }
                let kept = known.kept(name);
                *page.kinds.entry(kept.kind().to_owned()).or_default() += 1;
                if wanted.kind.as_deref().is_none_or(|kind| kind == kept.kind()) {
                    if offset <= page.total && page.kept.len() < limit {
                        page.kept.push(kept);
                    }
                    page.total += 1;
                }
            }
        }
    }

    /// How many are remembered, those that are gone included.
    pub fn len(&self) -> usize {
        self.table.lock().len()
    }

    /// Whether none is remembered.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The keys by which something of this kind is best made, so that it can be used together with
    /// what the user key has made just before.
    pub fn preferred(&self, kind: &str, user: i64) -> Option<Kin> {
        self.together.preferred(kind, user, self.clock.monotonic_ms(), self.rules.together_ms)
    }

    /// What lets in whoever goes on with an upload.
    ///
    /// # Errors
    ///
    /// When there are no random bytes to seal it with.
    pub fn ticket(&self, ticket: &Ticket) -> Result<String, VaultError> {
        // Several uploads may begin before the first has ended.
        self.together.note("files", ticket.user, &ticket.kin, self.clock.monotonic_ms());
        ticket.sealed(&self.vault)
    }

    /// The upload that a ticket was given for; `None` if it is none of ours, or too old.
    pub fn open_ticket(&self, sealed: &str) -> Option<Ticket> {
        Ticket::opened(&self.vault, sealed, self.clock.wall_ms())
    }

    /// Remembers by which keys a Live session can be resumed that is called by this handle.
    pub fn resumable(&self, handle: &str, kin: &Kin, user: i64) {
        let now_ms = self.clock.wall_ms();
        let resource = Resource {
            kin: kin.clone(),
            user,
            created_ms: now_ms,
            expires_ms: Some(now_ms.saturating_add(RESUMABLE_MS)),
            is_gone: false,
        };
        self.table.lock().put(&session_name(handle), resource);
        self.changed.notify_one();
    }

    /// Forgets a handle that newer ones have taken the place of.
    pub fn outdated(&self, handle: &str) {
        self.table.lock().take(&session_name(handle));
        self.changed.notify_one();
    }

    /// What is known of the Live session that is called by this handle, for this user key.
    pub fn session(&self, handle: &str, user: i64) -> Found {
        self.find(&session_name(handle), user)
    }

    /// A token as its caller gets it.
    ///
    /// # Errors
    ///
    /// When there are no random bytes to seal it with.
    pub fn seal_live_token(&self, token: &LiveToken) -> Result<Secret, VaultError> {
        token.sealed(&self.vault)
    }

    /// The token that a caller was given; `None` if it is none of ours, or too old.
    pub fn open_live_token(&self, sealed: &str) -> Option<LiveToken> {
        LiveToken::opened(&self.vault, sealed, self.clock.wall_ms())
    }

    /// Forgets what has ended long enough ago.
    fn prune(&self) {
        let ended_ms = self.clock.wall_ms().saturating_sub(GONE_MS);
        self.table.lock().prune(ended_ms);
        self.together.prune(self.clock.monotonic_ms(), self.rules.together_ms);
    }

    /// Writes what the store does not know yet.
    async fn save(&self, store: &Store) -> Result<(), StoreError> {
        let pushed_out = self.table.lock().take_pushed_out();
        if pushed_out > 0 {
            tracing::warn!(
                count = pushed_out,
                "resources are forgotten before their end, since there are too many; they can be \
                 reached with luck alone"
            );
        }
        loop {
            let (names, changes) = self.take_unsaved();
            if names.is_empty() {
                return Ok(());
            }
            if let Err(error) = store.save_resources(changes).await {
                let mut table = self.table.lock();
                names.iter().for_each(|name| table.mark(name));
                return Err(error);
            }
        }
    }

    fn take_unsaved(&self) -> (Vec<Arc<str>>, ResourceChanges) {
        let mut table = self.table.lock();
        let names = table.take_unsaved(WRITTEN_MAX);
        let mut changes = ResourceChanges::default();
        for name in &names {
            match table.get(name) {
                None => changes.forgotten.push(name.to_string()),
                Some(known) => changes.kept.push(ResourceRow {
                    name: name.to_string(),
                    service_key_id: known.kin.key.0.cast_signed(),
                    project: known.kin.project.as_deref().unwrap_or_default().to_owned(),
                    user_key_id: known.user,
                    created_at_ms: known.created_ms,
                    expires_at_ms: known.expires_ms,
                    is_gone: known.is_gone,
                }),
            }
        }
        (names, changes)
    }
}

/// Writes what has changed to the store, and forgets what has ended, until the shutdown has drained
/// and once more at its end.
pub async fn remember(resources: Arc<Resources>, store: Store, lifecycle: Lifecycle) {
    let drained = lifecycle.drained();
    let pause = async |time| drop(tokio::time::timeout(time, drained.cancelled()).await);
    loop {
        tokio::select! {
            biased;
            () = drained.cancelled() => break,
            () = resources.changed.notified() => {}
            () = tokio::time::sleep(PRUNE_EVERY) => {
                resources.prune();
            }
        }
        pause(GATHER).await;
        if let Err(error) = resources.save(&store).await {
            tracing::warn!(%error, "what upstreams keep could not be stored; trying again");
            pause(STORE_PAUSE).await;
            resources.changed.notify_one();
        }
    }
    if let Err(error) = resources.save(&store).await {
        tracing::error!(%error, "what upstreams keep could not be stored at the end");
    }
}

/// The name under which a Live session is remembered: a handle is long, and nobody else's business.
fn session_name(handle: &str) -> String {
    format!("{SESSIONS}{}", URL_SAFE_NO_PAD.encode(Sha256::digest(handle)))
}

/// Whether a name is that of a Live session. It is ours: the upstream lists and deletes nothing by it,
/// so it is shown to nobody.
fn is_session(name: &str) -> bool {
    name.starts_with(SESSIONS)
}

/// A moment as the upstream writes it, in ms since the epoch.
fn stated(text: &str) -> Option<i64> {
    text.parse::<Timestamp>().ok().map(Timestamp::as_millisecond)
}

#[cfg(test)]
mod tests;
