//! How much room a disk has, and whether it is one: the only room that asks the system about volumes.

use std::io;
use std::path::Path;

use rustix::fs::{StatFs, statfs};

/// What `statfs(2)` calls file systems that lie on another machine: NFS, SMB and SMB 2, AFS, 9P.
/// A database in write-ahead mode needs memory that all its users share, which these do not have.
const REMOTE: [u64; 5] = [0x6969, 0xFF53_4D42, 0xFE53_4D42, 0x5346_414F, 0x0102_1997];

/// The room on a volume.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Room {
    /// All of it, in bytes.
    pub total_bytes: u64,
    /// What we may still use of it, in bytes.
    pub free_bytes: u64,
    /// Whether the volume lies on another machine.
    pub is_remote: bool,
}

impl Room {
    /// The room on the volume on which `path` lies.
    ///
    /// # Errors
    ///
    /// When there is no such path, or the system does not say.
    pub fn at(path: &Path) -> io::Result<Self> {
        let found: StatFs = statfs(path)?;
        let block_bytes = u64::try_from(found.f_bsize).unwrap_or_default();
        Ok(Self {
            total_bytes: found.f_blocks.saturating_mul(block_bytes),
            free_bytes: found.f_bavail.saturating_mul(block_bytes),
            is_remote: u64::try_from(found.f_type).is_ok_and(is_remote),
        })
    }

    /// Free room in percent of all, rounded down; a volume that does not tell its size has enough.
    #[must_use]
    pub fn free_percent(&self) -> u64 {
        self.free_bytes.saturating_mul(100).checked_div(self.total_bytes).unwrap_or(100)
    }
}

fn is_remote(kind: u64) -> bool {
    // Some systems hand the number out with its sign extended.
    REMOTE.contains(&(kind & 0xFFFF_FFFF))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_volume_tells_its_room() {
        let directory = tempfile::tempdir().unwrap();

        let room = Room::at(directory.path()).unwrap();

        assert!(0 < room.total_bytes && room.free_bytes <= room.total_bytes);
        assert!(room.free_percent() <= 100);
        assert!(Room::at(&directory.path().join("absent")).is_err());
    }

    #[test]
    fn room_is_counted_in_whole_percent() {
        let room = |free_bytes, total_bytes| Room { total_bytes, free_bytes, is_remote: false };

        assert_eq!(room(99, 1_000).free_percent(), 9);
        assert_eq!(room(0, 1_000).free_percent(), 0);
        assert_eq!(room(0, 0).free_percent(), 100);
    }

    #[test]
    fn a_share_of_another_machine_is_known_by_its_kind() {
        assert!(is_remote(0x6969) && is_remote(0xFFFF_FFFF_FF53_4D42));
        assert!(!is_remote(0xEF53) && !is_remote(0x9123_683E), "ext4, btrfs");
    }
}
