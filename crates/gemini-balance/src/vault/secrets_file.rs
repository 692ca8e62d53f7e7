//! The file `secrets` in the data directory: readable by its owner only, whole or not there at all.
//!
//! It changes only together with the database. Since two files cannot change at one moment, the new
//! secrets wait beside the old ones until the database belongs to them; whoever finds both asks the
//! database which it is.

use std::fs::{self, File, OpenOptions, Permissions};
use std::io::{self, Write as _};
use std::os::unix::fs::{OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

use zeroize::Zeroizing;

use crate::random;
use crate::vault::{VaultError, WhenAbsent};

/// The two root secrets.
pub(super) struct SecretsFile {
    pub(super) master: Zeroizing<[u8; 32]>,
    pub(super) token: Zeroizing<[u8; 32]>,
}

/// What the name of a draft begins with.
const DRAFT: &str = "secrets.draft-";
/// The file in its place.
const NAME: &str = "secrets";
/// The file that takes that place once the database belongs to it.
const NEXT: &str = "secrets.next";

impl SecretsFile {
    /// Reads the file of `data_dir`, making it if it is absent and that is allowed.
    pub(super) fn read_or_create(
        data_dir: &Path,
        when_absent: WhenAbsent,
    ) -> Result<Self, VaultError> {
        let path = data_dir.join(NAME);
        if let Some(file) = Self::read(&path)? {
            remove_drafts(data_dir);
            return Ok(file);
        }
        match when_absent {
            WhenAbsent::Create => Self::create(data_dir, &path)?,
            WhenAbsent::Refuse => {}
        }
        Self::read(&path)?.ok_or(VaultError::Missing(path))
    }

    /// The file in its place, if there is one.
    pub(super) fn current(data_dir: &Path) -> Result<Option<Self>, VaultError> {
        Self::read(&data_dir.join(NAME))
    }

    /// The file that is to take that place, if there is one.
    pub(super) fn next(data_dir: &Path) -> Result<Option<Self>, VaultError> {
        Self::read(&data_dir.join(NEXT))
    }

    /// The secrets in the text of such a file; none if it does not hold both.
    pub(super) fn parse(text: &str) -> Option<Self> {
        Some(Self { master: entry(text, "master_key")?, token: entry(text, "token_key")? })
    }

    /// The secrets as the text of such a file.
    pub(super) fn text(&self) -> Zeroizing<String> {
        Zeroizing::new(format!(
            "# The keys to everything stored in this directory. Keep a copy beside your backups:\n\
             # without master_key no stored service key can be read again.\n\
             master_key = {}\ntoken_key = {}\n",
            hex(*self.master).as_str(),
            hex(*self.token).as_str(),
        ))
    }

    /// Writes these secrets to where they wait for the database, whole and on the disk.
    pub(super) fn await_turn(&self, data_dir: &Path) -> Result<(), VaultError> {
        let (path, draft) = (data_dir.join(NEXT), draft_path(data_dir)?);
        let written = write_draft(&draft, &self.text())
            .and_then(|()| fs::rename(&draft, &path))
            .and_then(|()| File::open(data_dir)?.sync_all());
        // Gone already if it was moved to its place.
        let _ = fs::remove_file(&draft);
        written.map_err(|source| VaultError::Io { path, source })
    }

    /// The secrets that wait take their place.
    pub(super) fn take_turn(data_dir: &Path) -> Result<(), VaultError> {
        let path = data_dir.join(NAME);
        fs::rename(data_dir.join(NEXT), &path)
            .and_then(|()| File::open(data_dir)?.sync_all())
            .map_err(|source| VaultError::Io { path, source })
    }

    /// The secrets that wait are given up.
    pub(super) fn give_up_turn(data_dir: &Path) -> Result<(), VaultError> {
        let path = data_dir.join(NEXT);
        match fs::remove_file(&path) {
            Err(source) if source.kind() != io::ErrorKind::NotFound => {
                Err(VaultError::Io { path, source })
            }
            Ok(()) | Err(_) => Ok(()),
        }
    }

    fn read(path: &Path) -> Result<Option<Self>, VaultError> {
        let text = match fs::read_to_string(path) {
            Ok(text) => Zeroizing::new(text),
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(source) => {
                return Err(VaultError::Io { path: path.to_owned(), source });
            }
        };
        // Someone may have copied it back with wider rights. Where the file system knows no
        // rights there is nothing to narrow, so a failure is no reason to stop.
        let _ = fs::set_permissions(path, Permissions::from_mode(0o600));
        Self::parse(&text).map(Some).ok_or_else(|| VaultError::Damaged(path.to_owned()))
    }

    /// Writes a draft beside it and links that to its place: the file appears whole or not at all,
    /// and of two processes that start at once the second finds the first one's file.
    fn create(data_dir: &Path, path: &Path) -> Result<(), VaultError> {
        let secrets = Self {
            master: Zeroizing::new(random::random_bytes()?),
            token: Zeroizing::new(random::random_bytes()?),
        };
        let text = secrets.text();
        let draft = draft_path(data_dir)?;
        let written =
            write_durably(&draft, path, &text).and_then(|()| File::open(data_dir)?.sync_all());
        // Gone already if it was moved to its place; otherwise its secrets are used nowhere.
        let _ = fs::remove_file(&draft);
        written.map_err(|source| VaultError::Io { path: path.to_owned(), source })
    }
}

/// Removes what starts left that died before they were done: such a draft may hold the very keys
/// that are in use. Only called when the file is in its place, so that whoever is just writing a
/// draft finds it there.
fn remove_drafts(data_dir: &Path) {
    let entries = fs::read_dir(data_dir).into_iter().flatten().flatten();
    for entry in entries {
        if entry.file_name().as_encoded_bytes().starts_with(DRAFT.as_bytes()) {
            // Nobody but us may read it, so that one which cannot be removed is no reason to stop.
            let _ = fs::remove_file(entry.path());
        }
    }
}

/// A name that nobody else uses.
fn draft_path(data_dir: &Path) -> Result<PathBuf, VaultError> {
    let unique = u64::from_le_bytes(random::random_bytes()?);
    Ok(data_dir.join(format!("{DRAFT}{unique:016x}")))
}

fn write_draft(draft: &Path, text: &str) -> io::Result<()> {
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(draft)?;
    file.write_all(text.as_bytes())?;
    file.sync_all()
}

fn write_durably(draft: &Path, path: &Path, text: &str) -> io::Result<()> {
    write_draft(draft, text)?;
    match fs::hard_link(draft, path) {
        Ok(()) => Ok(()),
        Err(_) if path.exists() => Ok(()),
        // Some network and removable file systems have no links.
        Err(_) => fs::rename(draft, path),
    }
}

fn entry(text: &str, name: &str) -> Option<Zeroizing<[u8; 32]>> {
    let value = text.lines().find_map(|line| {
        let (key, value) = line.split_once('=')?;
        (key.trim() == name).then(|| value.trim())
    })?;
    unhex(value)
}

/// Bytes as hexadecimal digits.
pub(super) fn hex(bytes: [u8; 32]) -> Zeroizing<String> {
    Zeroizing::new(bytes.iter().fold(String::with_capacity(64), |mut hex, byte| {
        for digit in [byte >> 4, byte & 15] {
            hex.push(char::from_digit(u32::from(digit), 16).unwrap_or_default());
        }
        hex
    }))
}

/// Bytes out of hexadecimal digits.
pub(super) fn unhex(text: &str) -> Option<Zeroizing<[u8; 32]>> {
    let mut bytes = Zeroizing::new([0; 32]);
    if text.len() != 64 || !text.is_ascii() {
        return None;
    }
    for (index, byte) in bytes.iter_mut().enumerate() {
        *byte = u8::from_str_radix(text.get(2 * index..2 * index + 2)?, 16).ok()?;
    }
    Some(bytes)
}
