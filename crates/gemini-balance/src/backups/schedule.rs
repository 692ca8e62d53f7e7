//! Backups that are made by themselves: one every so many hours, the last few of them kept.
//!
//! When the next is due is read from the names of those that are there, so that a restart neither
//! skips one nor makes one too many. Files of other names are left alone.

use std::fs;
use std::os::unix::fs::DirBuilderExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};
use std::time::Duration;

use anyhow::Context;
use jiff::Timestamp;
use jiff::civil::DateTime;
use jiff::tz::TimeZone;

use crate::backups::Order;
use crate::clock::Clock;
use crate::config::Backups as Settings;
use crate::lifecycle::Lifecycle;
use crate::secret::Secret;
use crate::store::Store;

/// How often it is looked whether one is due.
const LOOK_EVERY: Duration = Duration::from_secs(60);
/// How long a failed one is not tried again.
const PAUSE: Duration = Duration::from_secs(10 * 60);
/// What the names begin with; the database says "the newest good backup is …" of such names.
const PREFIX: &str = "gemini-balance.";
/// How the moment stands in a name, in UTC.
const MOMENT: &str = "%Y%m%d-%H%M%S";
/// What the names of plain and of sealed ones end with.
const ENDINGS: [&str; 2] = [".backup", ".sealed"];

/// How the backups of this process went.
#[derive(Debug, Default)]
pub struct Backups {
    /// Held while one is made: two at once would only fill the disk.
    pub turn: tokio::sync::Mutex<()>,
    is_failing: AtomicBool,
    /// In ms since the epoch; 0 = none.
    last_ms: AtomicI64,
}

impl Backups {
    /// Whether the last scheduled one failed.
    #[must_use]
    pub fn is_failing(&self) -> bool {
        self.is_failing.load(Ordering::Relaxed)
    }

    /// When the newest scheduled one was made, in ms since the epoch, as far as this process knows.
    #[must_use]
    pub fn last_ms(&self) -> Option<i64> {
        Some(self.last_ms.load(Ordering::Relaxed)).filter(|ms| *ms != 0)
    }
}

/// When backups are made by themselves, and of what.
#[derive(Debug)]
pub struct Schedule {
    /// What the settings say.
    pub settings: Settings,
    /// The data directory.
    pub data_dir: PathBuf,
    /// The database in it.
    pub store: Store,
    /// All settings, as a file `.env` has them.
    pub all: Secret,
    /// Tells when one is due.
    pub clock: Clock,
    /// How it went.
    pub backups: Arc<Backups>,
}

impl Schedule {
    /// Makes backups until the shutdown begins.
    pub async fn keep(self, lifecycle: Lifecycle) {
        let Some(every_ms) = self.settings.every_ms else { return };
        loop {
            let done = tokio::select! {
                done = self.make_if_due(every_ms) => done,
                () = lifecycle.draining().cancelled() => return,
            };
            let pause = match done {
                Ok(()) => LOOK_EVERY,
                Err(error) => {
                    self.backups.is_failing.store(true, Ordering::Relaxed);
                    tracing::error!(
                        error = format!("{error:#}"),
                        "the scheduled backup failed; trying again in ten minutes"
                    );
                    PAUSE
                }
            };
            tokio::select! {
                () = tokio::time::sleep(pause) => {}
                () = lifecycle.draining().cancelled() => return,
            }
        }
    }

    async fn make_if_due(&self, every_ms: u64) -> anyhow::Result<()> {
        let (directory, keep) = (self.settings.dir.clone(), self.settings.keep);
        let now_ms = self.clock.wall_ms();
        let looked_in = directory.clone();
        // On a share of another machine this may take long.
        let looking = tokio::task::spawn_blocking(move || {
            found(&looked_in).into_iter().map(|(made_ms, _)| made_ms).max()
        });
        let newest_ms = looking.await.context("looking for backups failed")?;
        self.backups.last_ms.store(newest_ms.unwrap_or_default(), Ordering::Relaxed);
        // One from the future was made by a clock that was wrong; it holds nothing up for ever.
        if newest_ms.is_some_and(|newest_ms| newest_ms.abs_diff(now_ms) < every_ms) {
            return Ok(());
        }
        let _turn = self.backups.turn.lock().await;
        let made = directory.clone();
        let making = tokio::task::spawn_blocking(move || create_directory(&made));
        making.await.context("making the directory failed")??;
        let order = Order {
            destination: directory.join(name(now_ms, self.settings.passphrase.is_some())),
            data_dir: self.data_dir.clone(),
            passphrase: self.settings.passphrase.clone(),
            settings: Some(self.all.clone()),
            now_ms,
        };
        let (copy, destination) = (order.copy_path(), order.destination.clone());
        self.store.backup(copy.clone()).await?;
        let finishing = tokio::task::spawn_blocking(move || {
            let bytes = order.finish(&copy)?;
            anyhow::Ok((bytes, remove_old(&directory, keep)))
        });
        let (bytes, removed) = finishing.await.context("finishing the backup failed")??;
        self.backups.is_failing.store(false, Ordering::Relaxed);
        self.backups.last_ms.store(now_ms, Ordering::Relaxed);
        tracing::info!(file = %destination.display(), bytes, removed, "a backup was made");
        Ok(())
    }
}

/// Makes a directory that only we may enter, if there is none.
fn create_directory(path: &Path) -> anyhow::Result<()> {
    let made = fs::DirBuilder::new().recursive(true).mode(0o700).create(path);
    made.with_context(|| format!("cannot make {} (BACKUP_DIR)", path.display()))
}

fn name(now_ms: i64, is_sealed: bool) -> String {
    let moment =
        Timestamp::from_millisecond(now_ms).unwrap_or_default().strftime(MOMENT).to_string();
    let [plain, sealed] = ENDINGS;
    format!("{PREFIX}{moment}{}", if is_sealed { sealed } else { plain })
}

/// When a file of this name was made; `None` for names that are not of this schedule.
fn moment(name: &str) -> Option<i64> {
    let rest = name.strip_prefix(PREFIX)?;
    let text = ENDINGS.iter().find_map(|ending| rest.strip_suffix(ending))?;
    let moment = DateTime::strptime(MOMENT, text).ok()?;
    Some(moment.to_zoned(TimeZone::UTC).ok()?.timestamp().as_millisecond())
}

/// The backups of this schedule in a directory, and when each was made.
fn found(directory: &Path) -> Vec<(i64, PathBuf)> {
    let entries = fs::read_dir(directory).into_iter().flatten().flatten();
    entries.filter_map(|entry| Some((moment(entry.file_name().to_str()?)?, entry.path()))).collect()
}

/// Removes all but the newest, and what a death left half done; answers how many.
fn remove_old(directory: &Path, keep: usize) -> usize {
    let mut backups = found(directory);
    backups.sort_unstable_by(|one, other| other.cmp(one));
    let entries = fs::read_dir(directory).into_iter().flatten().flatten();
    let unfinished = entries.filter(|entry| {
        let name = entry.file_name();
        // Its own file, and the journal that the engine keeps beside it.
        let before = name.to_str().and_then(|name| name.split_once(".part"));
        before.is_some_and(|(name, _)| moment(name).is_some())
    });
    let unfinished: Vec<PathBuf> = unfinished.map(|entry| entry.path()).collect();
    let old = backups.into_iter().skip(keep).map(|(_, path)| path);
    // One that cannot be removed is tried again by the next.
    old.chain(unfinished).filter(|path| fs::remove_file(path).is_ok()).count()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_tells_when_a_backup_was_made_and_other_names_tell_nothing() {
        let made_ms = 1_796_000_000_000;

        for is_sealed in [false, true] {
            assert_eq!(moment(&name(made_ms, is_sealed)), Some(made_ms));
        }
        for other in [
            "gemini-balance.v2-1796000000000.backup",
            "gemini-balance.db",
            "gemini-balance.20261130-224500.backup.part",
            "gemini-balance.20261130.backup",
            "mine.20261130-224500.backup",
        ] {
            assert_eq!(moment(other), None, "{other}");
        }
    }

    #[test]
    fn the_newest_are_kept_and_what_is_not_ours_is_left_alone() {
        let directory = tempfile::tempdir().unwrap();
        let day_ms = 24 * 60 * 60 * 1_000;
        let names: Vec<String> = (0..5).map(|day| name(day * day_ms, day % 2 == 0)).collect();
        for name in names.iter().map(String::as_str).chain(["gemini-balance.v2-7.backup", "x.part"])
        {
            fs::write(directory.path().join(name), "").unwrap();
        }
        for ending in ["part", "part-journal"] {
            fs::write(directory.path().join(format!("{}.{ending}", names[0])), "").unwrap();
        }

        let removed = remove_old(directory.path(), 2);

        assert_eq!(removed, 5);
        let mut left: Vec<_> =
            fs::read_dir(directory.path()).unwrap().map(|it| it.unwrap().file_name()).collect();
        left.sort();
        let expected = [&names[3], &names[4], "gemini-balance.v2-7.backup", "x.part"];
        assert_eq!(left, expected);
    }
}
