//! A limit of memory as an engine sets it: a control group, of the first or the second version.

use std::{fs, path::PathBuf, process::Command};

use crate::Outcome;

const NAME: &str = "gemini-balance-check";
/// Folder, file of the limit, file of the peak.
const PLACES: [(&str, &str, &str); 2] = [
    ("/sys/fs/cgroup/memory", "memory.limit_in_bytes", "memory.max_usage_in_bytes"),
    ("/sys/fs/cgroup", "memory.max", "memory.peak"),
];

/// A group of processes that share so much memory.
pub(super) struct Limit {
    folder: PathBuf,
    peak: &'static str,
}

impl Limit {
    /// Makes the group; `None` where the system does not let us.
    pub(super) fn new(bytes: u64) -> Option<Self> {
        PLACES.into_iter().find_map(|(place, limit, peak)| {
            let folder = PathBuf::from(place).join(NAME);
            fs::create_dir_all(&folder).ok()?;
            let limit = folder.join(limit);
            let is_set = limit.is_file() && fs::write(limit, bytes.to_string()).is_ok();
            let group = Self { folder, peak };
            is_set.then_some(group)
        })
    }

    /// The same command, within the limit from its first moment.
    pub(super) fn hold(&self, command: &Command) -> Command {
        let mut held = Command::new("sh");
        held.args(["-euc", r#"echo "$$" > "$0"; exec "$@""#]).arg(self.folder.join("cgroup.procs"));
        held.arg(command.get_program()).args(command.get_args());
        held
    }

    /// The most memory that was in use at once, the pages of files included, in bytes.
    ///
    /// # Errors
    ///
    /// If the system does not say.
    pub(super) fn peak(&self) -> Outcome<u64> {
        Ok(fs::read_to_string(self.folder.join(self.peak))?.trim().parse()?)
    }
}

impl Drop for Limit {
    fn drop(&mut self) {
        // It goes as soon as nobody is in it.
        drop(fs::remove_dir(&self.folder));
    }
}
