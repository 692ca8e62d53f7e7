//! Taking over what was found, or foreseeing what that would do.
//!
//! Both go through the keys in the same order with the same checks, so that what a trial says is
//! what happens. Keys are sealed and hashed on a thread that may be busy; keys, their rests and the
//! log go into the database in one transaction.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use sha2::{Digest as _, Sha256};

use crate::import::error::MoveError;
use crate::import::findings::{Findings, FoundServiceKey, FoundUserKey};
use crate::import::predecessor_log::{LogRows, Progress, Whose};
use crate::import::report::{Item, ItemKind, ItemOutcome, Report, Tally};
use crate::secret::Secret;
use crate::service_keys::{self, Common};
use crate::store::Store;
use crate::store::import::{
    Import, ImportError, Imported, ImportedRow, ImportedServiceKey, ImportedUserKey,
    LivingServiceKey, TakenServiceKey, TakenUserKey,
};
use crate::store::user_keys::NewUserKey;
use crate::vault::{Vault, VaultError};

/// Says that the log of a predecessor was taken over, so that it is not counted twice.
pub(super) const MARK: &str = "predecessor_imported";

/// What was taken over.
#[derive(Debug)]
pub struct Taken {
    /// For people and programs.
    pub report: Report,
    /// The ids of the service keys that are new.
    pub service_key_ids: Vec<i64>,
}

/// Says what [`take`] would do, and changes nothing. Without `ours` there is nothing here yet.
///
/// # Errors
///
/// As any read of the store.
pub async fn foresee(
    findings: Findings,
    ours: Option<(&Store, &Vault)>,
) -> Result<Report, MoveError> {
    let mut report = blank(&findings, true);
    report.log_rows = findings.log_rows();
    let Findings { service_keys, user_keys, .. } = findings;
    let mut here = Here::look(&service_keys, ours).await?;
    report.items.extend(service_keys.iter().map(|key| here.service_key(key)));
    report.items.extend(user_keys.iter().map(|key| here.user_key(key)));
    report.tally();
    Ok(report)
}

/// Takes everything over, or nothing. The pool and the user keys in memory, if there are any, do not
/// know of it yet.
///
/// # Errors
///
/// [`MoveError`]; then nothing has been changed.
///
/// # Cancellation
///
/// Dropped before its end, it may have been done all the same.
pub async fn take(
    findings: Findings,
    store: &Store,
    vault: &Arc<Vault>,
    now_ms: i64,
    progress: Progress,
) -> Result<Taken, MoveError> {
    let mut report = blank(&findings, false);
    let (service_keys, user_keys, log) = (findings.service_keys, findings.user_keys, findings.log);
    let sealing = Arc::clone(vault);
    let prepared =
        tokio::task::spawn_blocking(move || prepare(&sealing, service_keys, user_keys, now_ms));
    let mut prepared = prepared.await.unwrap_or(Err(VaultError::Sealed))?;
    let mark = log.is_some().then(|| (MARK, report.form.clone().into_bytes()));
    let rows = match log {
        Some(mut log) => {
            let whose = std::mem::take(&mut log.whose);
            let (service_keys, user_keys) = prepared.positions(whose);
            Rows::Log(Box::new(log.read(service_keys, user_keys, progress.clone())))
        }
        None => Rows::None,
    };
    let Prepared { service_keys, user_keys, found_service_keys, found_user_keys, .. } = prepared;
    let import = Import { user_keys, service_keys, rows, mark };
    let imported = store.import(import, now_ms).await?;
    let is_new = |key: &&TakenServiceKey| key.is_new;
    let living = imported.service_keys.iter().take(found_service_keys.living());
    let service_key_ids = living.filter(is_new).map(|key| key.id).collect();
    report.items = items(&imported, found_service_keys, found_user_keys);
    report.log_rows = imported.log_rows;
    report.known_log_rows = imported.known_log_rows;
    if 0 < progress.unreadable() {
        let count = progress.unreadable();
        report.notes.push(format!("{count} log rows say no time that can be read: not taken."));
    }
    report.tally();
    Ok(Taken { report, service_key_ids })
}

fn blank(findings: &Findings, is_trial: bool) -> Report {
    Report {
        source: findings.source,
        form: findings.form.clone(),
        is_trial,
        service_keys: Tally::default(),
        user_keys: Tally::default(),
        log_rows: 0,
        known_log_rows: 0,
        items: Vec::new(),
        hints: findings.hints.clone(),
        notes: findings.notes.clone(),
    }
}

/// The log, or none.
#[derive(Debug)]
enum Rows {
    Log(Box<LogRows>),
    None,
}

impl Iterator for Rows {
    type Item = Result<ImportedRow, ImportError>;

    fn next(&mut self) -> Option<Self::Item> {
        match self {
            Self::Log(rows) => rows.next(),
            Self::None => None,
        }
    }
}

/// What is left of the keys that were found when their secrets are gone: enough for the report.
#[derive(Debug, Default)]
struct Found(Vec<FoundKey>);

#[derive(Debug)]
struct FoundKey {
    place: String,
    /// Its brief, or why it is none.
    key: Result<String, &'static str>,
    name: String,
    remark: Option<&'static str>,
}

impl Found {
    /// How many are taken over.
    fn living(&self) -> usize {
        self.0.iter().filter(|found| found.key.is_ok()).count()
    }
}

/// Everything as the store takes it.
#[derive(Debug, Default)]
struct Prepared {
    service_keys: Vec<ImportedServiceKey>,
    user_keys: Vec<ImportedUserKey>,
    found_service_keys: Found,
    found_user_keys: Found,
    /// By position among those that were found: that among those that are taken over.
    service_key_places: Vec<Option<usize>>,
    user_key_places: Vec<Option<usize>>,
}

fn prepare(
    vault: &Vault,
    service_keys: Vec<FoundServiceKey>,
    user_keys: Vec<FoundUserKey>,
    now_ms: i64,
) -> Result<Prepared, VaultError> {
    let mut prepared = Prepared::default();
    for found in service_keys {
        let place = match &found.key {
            Ok(secret) => {
                let common = Common {
                    note: found.note.clone(),
                    tags: found.tags.clone(),
                    ..Common::default()
                };
                let living = LivingServiceKey {
                    key: service_keys::seal(vault, secret, &common, now_ms)?,
                    is_enabled: found.is_enabled,
                    last_used_at_ms: found.last_used_at_ms,
                    rests: found.rests.clone(),
                };
                prepared.service_keys.push(ImportedServiceKey::Living(Box::new(living)));
                Some(prepared.service_keys.len() - 1)
            }
            Err(_) => None,
        };
        prepared.service_key_places.push(place);
        prepared.found_service_keys.0.push(FoundKey {
            key: found.key.map(|secret| secret.brief()),
            place: found.place,
            name: String::new(),
            remark: found.remark,
        });
    }
    let mut names = Names::default();
    for found in user_keys {
        let name = names.free(&found.name);
        let place = match &found.key {
            Ok(secret) => {
                let living = NewUserKey {
                    name: name.clone(),
                    hash: vault.hash_user_key(secret.expose()),
                    brief: secret.brief(),
                    note: String::new(),
                    is_enabled: found.is_enabled,
                    created_at_ms: now_ms,
                    expires_at_ms: found.expires_at_ms,
                };
                prepared.user_keys.push(ImportedUserKey::Living(living));
                Some(prepared.user_keys.len() - 1)
            }
            Err(_) => None,
        };
        prepared.user_key_places.push(place);
        prepared.found_user_keys.0.push(FoundKey {
            key: found.key.map(|secret: Secret| secret.brief()),
            place: found.place,
            name: found.name,
            remark: found.remark,
        });
    }
    Ok(prepared)
}

impl Prepared {
    /// Adds the keys that only the log knows; answers where each key of the log stands.
    fn positions(&mut self, whose: Whose) -> (HashMap<String, usize>, HashMap<String, usize>) {
        let mut service_keys = HashMap::new();
        let mut deleted_service_keys = whose.deleted_service_keys;
        for (identifier, found) in whose.service_keys {
            match self.service_key_places.get(found).copied().flatten() {
                Some(place) => drop(service_keys.insert(identifier, place)),
                None => deleted_service_keys.push((identifier, String::new())),
            }
        }
        for (key_identifier, brief) in deleted_service_keys {
            service_keys.insert(key_identifier.clone(), self.service_keys.len());
            self.service_keys.push(ImportedServiceKey::Deleted { key_identifier, brief });
        }
        let mut user_keys = HashMap::new();
        let mut deleted_user_keys = whose.deleted_user_keys;
        for (alias, found) in whose.user_keys {
            match self.user_key_places.get(found).copied().flatten() {
                Some(place) => drop(user_keys.insert(alias, place)),
                None => deleted_user_keys.push(alias),
            }
        }
        for name in deleted_user_keys {
            user_keys.insert(name.clone(), self.user_keys.len());
            self.user_keys.push(ImportedUserKey::Deleted { name });
        }
        (service_keys, user_keys)
    }
}

/// Names that differ: where many keys have one name, each but the first gets a number.
#[derive(Debug, Default)]
struct Names {
    used: HashSet<String>,
    numbers: HashMap<String, u32>,
}

impl Names {
    fn free(&mut self, name: &str) -> String {
        if self.used.insert(name.to_owned()) {
            return name.to_owned();
        }
        let number = self.numbers.entry(name.to_owned()).or_insert(1);
        loop {
            *number += 1;
            let numbered = format!("{name} ({number})");
            if self.used.insert(numbered.clone()) {
                return numbered;
            }
        }
    }
}

/// The report's lines about the keys, once they are in the store.
fn items(imported: &Imported, service_keys: Found, user_keys: Found) -> Vec<Item> {
    let mut items = Vec::with_capacity(service_keys.0.len() + user_keys.0.len());
    let mut taken = imported.service_keys.iter();
    for found in service_keys.0 {
        items.push(match found.key {
            Err(reason) => refused(ItemKind::ServiceKey, found.place, reason, None),
            Ok(brief) => match taken.next() {
                None => refused(ItemKind::ServiceKey, found.place, "not stored", None),
                Some(TakenServiceKey { key_identifier, is_new, .. }) => Item {
                    kind: ItemKind::ServiceKey,
                    place: found.place,
                    outcome: outcome(*is_new),
                    name: Some(key_identifier.clone()),
                    brief: Some(brief),
                    remark: found.remark.filter(|_| *is_new).map(str::to_owned),
                },
            },
        });
    }
    let mut taken = imported.user_keys.iter();
    for found in user_keys.0 {
        items.push(match found.key {
            Err(reason) => refused(ItemKind::UserKey, found.place, reason, Some(found.name)),
            Ok(brief) => match taken.next() {
                None => refused(ItemKind::UserKey, found.place, "not stored", Some(found.name)),
                Some(TakenUserKey { name, is_new, .. }) => Item {
                    kind: ItemKind::UserKey,
                    place: found.place,
                    outcome: outcome(*is_new),
                    remark: remark(found.remark, &found.name, name, *is_new),
                    name: Some(name.clone()),
                    brief: Some(brief),
                },
            },
        });
    }
    items
}

fn outcome(is_new: bool) -> ItemOutcome {
    if is_new { ItemOutcome::Added } else { ItemOutcome::Duplicate }
}

fn refused(kind: ItemKind, place: String, reason: &str, name: Option<String>) -> Item {
    let remark = Some(reason.to_owned());
    Item { kind, place, outcome: ItemOutcome::Invalid, name, brief: None, remark }
}

fn remark(remark: Option<&str>, wanted: &str, name: &str, is_new: bool) -> Option<String> {
    if !is_new {
        return None;
    }
    let renamed = (wanted != name).then(|| format!("the name {wanted} is taken"));
    match (remark, renamed) {
        (Some(remark), Some(renamed)) => Some(format!("{remark}; {renamed}")),
        (remark, renamed) => renamed.or_else(|| remark.map(str::to_owned)),
    }
}

fn digest(secret: &Secret) -> [u8; 32] {
    Sha256::digest(secret.expose().as_bytes()).into()
}

/// What is here already, as far as it matters for what was found.
struct Here<'v> {
    vault: Option<&'v Vault>,
    /// Identifiers of the service keys, by fingerprint.
    service_keys: HashMap<[u8; 32], Option<String>>,
    /// Names of the user keys, by hash.
    user_keys: HashMap<[u8; 32], String>,
    /// Without a vault, the keys themselves tell what is double.
    seen: HashSet<[u8; 32]>,
    names: Names,
    taken_names: HashSet<String>,
}

impl<'v> Here<'v> {
    async fn look(
        found: &[FoundServiceKey],
        ours: Option<(&Store, &'v Vault)>,
    ) -> Result<Self, MoveError> {
        let mut here = Self {
            vault: ours.map(|(_, vault)| vault),
            service_keys: HashMap::new(),
            user_keys: HashMap::new(),
            seen: HashSet::new(),
            names: Names::default(),
            taken_names: HashSet::new(),
        };
        let Some((store, vault)) = ours else {
            return Ok(here);
        };
        let keys = found.iter().filter_map(|found| found.key.as_ref().ok());
        let fingerprints: Vec<_> = keys.map(|key| vault.fingerprint_service_key(key)).collect();
        let known = store.service_keys_of(fingerprints.clone()).await?;
        let known = fingerprints.into_iter().zip(known);
        here.service_keys = known.filter(|(_, name)| name.is_some()).collect();
        for key in store.user_keys().await? {
            here.taken_names.insert(key.name.clone());
            here.user_keys.insert(key.hash, key.name);
        }
        Ok(here)
    }

    fn service_key(&mut self, found: &FoundServiceKey) -> Item {
        let place = found.place.clone();
        let secret = match &found.key {
            Ok(secret) => secret,
            Err(reason) => return refused(ItemKind::ServiceKey, place, reason, None),
        };
        let known = match self.vault {
            Some(vault) => {
                let fingerprint = vault.fingerprint_service_key(secret);
                let known = self.service_keys.get(&fingerprint).cloned();
                self.service_keys.entry(fingerprint).or_default();
                known
            }
            None => {
                let is_first = self.seen.insert(digest(secret));
                (!is_first).then_some(None)
            }
        };
        let is_new = known.is_none();
        Item {
            kind: ItemKind::ServiceKey,
            place,
            outcome: outcome(is_new),
            name: Some(known.flatten().unwrap_or_else(|| secret.key_identifier())),
            brief: Some(secret.brief()),
            remark: found.remark.filter(|_| is_new).map(str::to_owned),
        }
    }

    fn user_key(&mut self, found: &FoundUserKey) -> Item {
        let place = found.place.clone();
        let numbered = self.names.free(&found.name);
        let secret = match &found.key {
            Ok(secret) => secret,
            Err(reason) => {
                let name = Some(found.name.clone());
                return refused(ItemKind::UserKey, place, reason, name);
            }
        };
        let hash = match self.vault {
            Some(vault) => vault.hash_user_key(secret.expose()),
            None => digest(secret),
        };
        let known = self.user_keys.get(&hash).cloned();
        let is_new = known.is_none();
        let name = known.unwrap_or_else(|| self.free(&numbered));
        self.user_keys.insert(hash, name.clone());
        Item {
            kind: ItemKind::UserKey,
            place,
            outcome: outcome(is_new),
            remark: remark(found.remark, &found.name, &name, is_new),
            name: Some(name),
            brief: Some(secret.brief()),
        }
    }

    /// The name that the store would give.
    fn free(&mut self, name: &str) -> String {
        let mut number = 1_u32;
        loop {
            let tried = if number == 1 { name.to_owned() } else { format!("{name} ({number})") };
            if self.taken_names.insert(tried.clone()) {
                return tried;
            }
            number += 1;
        }
    }
}
