//! Settings that change while the gateway runs: by an admin's call, or in a file; checked as at a start,
//! in force at once, and kept in mind with who changed what.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::app::App;
use crate::config::live::{Changed, LIVE, TooManyChanges};
use crate::config::stored::Stored;
use crate::config::{ConfigErrors, Source};
use crate::pool;
use crate::store::error::StoreError;

/// How often the files are looked at.
const LOOK_EVERY: Duration = Duration::from_secs(5);
/// Changes that are kept in mind.
const KEPT_MAX: usize = 500;
/// The name under which they are stored.
const CHANGES: &str = "settings_changes";
/// The name under which the settings that were in force last are stored.
const LAST: &str = "settings_last";

/// One change, for whoever asks who did it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Change {
    /// When, in ms since the epoch.
    pub at_ms: i64,
    /// Who: `admin at 192.0.2.1`, or the file in which it was written.
    pub by: String,
    /// The setting.
    pub name: String,
    /// What held before.
    pub from: String,
    /// What holds since.
    pub to: String,
}

/// Why settings were not changed; nothing of it is in force then.
#[derive(Debug, thiserror::Error)]
pub enum ChangeError {
    /// There is no such setting, or it needs a restart.
    #[error("{0} cannot be changed while the gateway runs")]
    Fixed(String),
    /// It is written where an admin's call does not reach, and that goes before.
    #[error("{name} is written in {place}, which goes before: change it there")]
    Elsewhere {
        /// The setting.
        name: &'static str,
        /// Where it is written.
        place: Source,
    },
    /// A value will not do.
    #[error("{0}")]
    Mistakes(ConfigErrors),
    /// More changes than one process takes.
    #[error(transparent)]
    TooMany(#[from] TooManyChanges),
    /// The file could not be read or written.
    #[error("settings.toml: {0}")]
    Io(#[from] std::io::Error),
    /// The change could not be kept in mind.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Changes settings, each to a value or back to what holds elsewhere; all of them, or none.
///
/// # Errors
///
/// [`ChangeError`].
///
/// # Cancellation
///
/// Must be run to its end: it changes a file, what is in force, and the store, in this order.
pub async fn change(
    app: &Arc<App>,
    changes: BTreeMap<String, Option<String>>,
    by: String,
) -> Result<(), ChangeError> {
    let _turn = app.config.turn.lock().await;
    for name in changes.keys() {
        let setting = app.config.settings.iter().find(|it| it.name == name);
        let setting = setting.filter(|it| LIVE.contains(&it.name));
        let setting = setting.ok_or_else(|| ChangeError::Fixed(name.clone()))?;
        if ![Source::Stored, Source::Default].contains(&setting.source) {
            let (name, place) = (setting.name, setting.source);
            return Err(ChangeError::Elsewhere { name, place });
        }
    }
    let data_dir = app.config.storage.data_dir.clone();
    let reading = data_dir.clone();
    let reading = tokio::task::spawn_blocking(move || Stored::read(&reading));
    let mut stored = reading.await.map_err(std::io::Error::other)??;
    changes.into_iter().for_each(|(name, value)| stored.set(&name, value));
    let new = app.config.reload_with(Some(&stored.text())).map_err(ChangeError::Mistakes)?;
    let writing = tokio::task::spawn_blocking(move || stored.write(&data_dir));
    writing.await.map_err(std::io::Error::other)??;
    let changed = app.config.apply(&new)?;
    take_effect(app, &changed, &by);
    remember(app, &changed, &by).await?;
    Ok(())
}

/// Takes up what is changed in the files, until the shutdown begins.
pub async fn watch(app: Arc<App>) {
    if let Err(error) = note_start(&app).await {
        tracing::warn!(%error, "changes of settings since the last run could not be kept in mind");
    }
    let mut complaint = String::new();
    loop {
        tokio::select! {
            () = tokio::time::sleep(LOOK_EVERY) => {}
            () = app.lifecycle.draining().cancelled() => return,
        }
        match look(&app).await {
            Ok(()) => complaint.clear(),
            Err(error) => {
                let told = error.to_string();
                if told != complaint {
                    tracing::warn!("settings in the files are not taken up: {told}");
                    complaint = told;
                }
            }
        }
    }
}

/// Takes up what is changed in the files.
async fn look(app: &Arc<App>) -> Result<(), ChangeError> {
    let _turn = app.config.turn.lock().await;
    let reading = Arc::clone(app);
    let new = tokio::task::spawn_blocking(move || reading.config.reload());
    let new = new.await.map_err(std::io::Error::other)?.map_err(ChangeError::Mistakes)?;
    let sources: BTreeMap<&str, Source> =
        new.settings.iter().map(|setting| (setting.name, setting.source)).collect();
    let changed = app.config.apply(&new)?;
    for one in &changed {
        let by = match sources.get(one.name) {
            Some(Source::Default) | None => "a file".to_owned(),
            Some(source) => source.to_string(),
        };
        take_effect(app, std::slice::from_ref(one), &by);
        remember(app, std::slice::from_ref(one), &by).await?;
    }
    Ok(())
}

/// The changes that are kept in mind, latest first.
///
/// # Errors
///
/// As any read of the store.
pub async fn history(app: &App) -> Result<Vec<Change>, StoreError> {
    let mut changes = kept(app).await?;
    changes.reverse();
    Ok(changes)
}

fn take_effect(app: &App, changed: &[Changed], by: &str) {
    if changed.is_empty() {
        return;
    }
    app.pool.set_policy(pool::policy(&app.config));
    for Changed { name, from, to } in changed {
        tracing::warn!(name, from, to, by, "a setting was changed");
    }
}

async fn remember(app: &App, changed: &[Changed], by: &str) -> Result<(), StoreError> {
    let changed = changed.iter().filter(|it| it.from != it.to);
    let at_ms = app.clock.wall_ms();
    let new: Vec<Change> = changed
        .map(|Changed { name, from, to }| Change {
            at_ms,
            by: by.to_owned(),
            name: (*name).to_owned(),
            from: from.clone(),
            to: to.clone(),
        })
        .collect();
    if !new.is_empty() {
        let mut changes = kept(app).await?;
        changes.extend(new);
        let surplus = changes.len().saturating_sub(KEPT_MAX);
        changes.drain(..surplus);
        app.store.set_meta(CHANGES, serde_json::to_vec(&changes).unwrap_or_default()).await?;
        app.store.set_meta(LAST, last(app)).await?;
    }
    Ok(())
}

/// Keeps in mind what was changed while no gateway ran.
async fn note_start(app: &App) -> Result<(), StoreError> {
    let before = app.store.meta(LAST).await?;
    let Some(before) = before else {
        return app.store.set_meta(LAST, last(app)).await;
    };
    let before: BTreeMap<String, String> = serde_json::from_slice(&before).unwrap_or_default();
    let changed = app.config.settings.iter().filter_map(|setting| {
        let from = before.get(setting.name)?;
        let (name, from, to) = (setting.name, from.clone(), setting.value.clone());
        (from != to).then_some(Changed { name, from, to })
    });
    let changed: Vec<Changed> = changed.collect();
    remember(app, &changed, "the start: it was changed while no gateway ran").await
}

/// The settings in force, without any secret.
fn last(app: &App) -> Vec<u8> {
    let settings = app.config.settings.iter();
    let settings: BTreeMap<_, _> =
        settings.map(|setting| (setting.name, setting.value.as_str())).collect();
    serde_json::to_vec(&settings).unwrap_or_default()
}

async fn kept(app: &App) -> Result<Vec<Change>, StoreError> {
    let kept = app.store.meta(CHANGES).await?;
    Ok(kept.and_then(|kept| serde_json::from_slice(&kept).ok()).unwrap_or_default())
}
