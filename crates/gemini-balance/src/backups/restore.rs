//! Putting a backup back: into an empty data directory, or in place of what is in one.
//!
//! Everything is checked before anything changes; what was there is kept under another name; and a
//! death at any point leaves either all of the old or all of the new.

use std::fs::{self, File};
use std::io::{self, BufReader, BufWriter, Read as _, Seek as _, Write as _};
use std::path::{Path, PathBuf};

use anyhow::{Context, anyhow, bail};
use zeroize::Zeroizing;

use crate::backups::{Manifest, create_private};
use crate::secret::Secret;
use crate::store::error::OpenError;
use crate::store::replace::{Replacement, second_name};
use crate::vault::sealed_file::{self, SealedReader};
use crate::vault::{MasterKey, RootSecrets};

/// What a plain backup begins with, as every SQLite database.
const DATABASE_MAGIC: &[u8] = b"SQLite format 3\0";

/// A backup and what opens it.
#[derive(Debug, Clone, Copy)]
pub struct Source<'a> {
    /// The file.
    pub file: &'a Path,
    /// What it is sealed under.
    pub passphrase: Option<&'a Secret>,
    /// The file `secrets` that was kept with a plain one.
    pub secrets: Option<&'a Path>,
}

/// Where it is put.
#[derive(Debug, Clone, Copy)]
pub struct Place<'a> {
    /// The data directory.
    pub data_dir: &'a Path,
    /// The database in it.
    pub database: &'a Path,
    /// `ENCRYPTION_KEY`, if it is set: then the master key is that one.
    pub master: Option<&'a Secret>,
    /// `SECRET_KEY`, if it is set: with both, no file is needed.
    pub token: Option<&'a Secret>,
    /// The wall clock, in ms since the epoch: names what is kept.
    pub now_ms: i64,
}

/// What has been done.
#[derive(Debug)]
pub struct Restored {
    /// When the backup was made, in ms since the epoch, if it says so.
    pub made_at_ms: Option<i64>,
    /// Where the former database is, if there was one.
    pub kept: Option<PathBuf>,
    /// Whether the file `secrets` is the one of the backup now.
    pub has_secrets: bool,
    /// Where the settings are that the backup held.
    pub settings: Option<PathBuf>,
}

/// Puts a backup back. Blocks.
///
/// # Errors
///
/// Everything that stands in the way, in words that say what to do; then nothing has changed.
pub fn restore(source: Source<'_>, place: Place<'_>) -> anyhow::Result<Restored> {
    let replacement = match Replacement::begin(place.database) {
        Err(OpenError::InUse { .. }) => {
            bail!("a gateway runs on {}: stop it first", place.data_dir.display())
        }
        other => other?,
    };
    // A change of the master key that died half way is not to be mixed into this one.
    if RootSecrets::are_waiting(place.data_dir) {
        bail!(
            "a change of the master key was not carried to its end: run `gemini-balance keys list` \
             once, then restore again"
        );
    }
    let prepared = prepare(&replacement, source, place)
        .with_context(|| format!("{} cannot be restored", source.file.display()));
    let Prepared { made_at_ms, secrets, settings } = match prepared {
        Ok(prepared) => prepared,
        Err(error) => {
            replacement.give_up();
            return Err(error);
        }
    };
    let kept = if replacement.has_former()? {
        let kept =
            place.data_dir.join(format!("backups/gemini-balance.replaced-{}.db", place.now_ms));
        replacement.keep_former(&kept)?;
        Some(kept)
    } else {
        None
    };
    let has_secrets = !matches!(secrets, Brought::Nothing);
    match secrets {
        Brought::Nothing => replacement.finish()?,
        Brought::ForSessions(secrets) => {
            secrets.put(place.data_dir)?;
            replacement.finish()?;
        }
        Brought::WithMaster(secrets) => {
            keep_former_secrets(place)?;
            secrets.await_turn(place.data_dir)?;
            let proof = secrets.master().check_value();
            replacement.finish()?;
            RootSecrets::settle(place.data_dir, Some(proof))?;
        }
    }
    let settings = settings.map(|settings| keep_settings(place, &settings)).transpose()?;
    Ok(Restored { made_at_ms, kept, has_secrets, settings })
}

/// What is known of a backup that has been checked.
struct Prepared {
    made_at_ms: Option<i64>,
    secrets: Brought,
    /// The settings, as a file `.env` has them.
    settings: Option<Secret>,
}

/// The secrets that a backup brings along.
enum Brought {
    /// None, or none that are needed.
    Nothing,
    /// The master key is configured; what sessions are signed with is missing.
    ForSessions(RootSecrets),
    /// Those that the database belongs to.
    WithMaster(RootSecrets),
}

/// Writes the new database beside its place and finds the secrets that it belongs to.
fn prepare(
    replacement: &Replacement,
    source: Source<'_>,
    place: Place<'_>,
) -> anyhow::Result<Prepared> {
    let manifest = unpack(replacement, source)?;
    let (made_at_ms, of_backup, settings) = match manifest {
        Some(Manifest { made_at_ms, secrets, settings, .. }) => {
            let parse = |text: String| {
                RootSecrets::parse(&Zeroizing::new(text))
                    .ok_or_else(|| anyhow!("the secrets in it are damaged"))
            };
            (Some(made_at_ms), secrets.map(parse).transpose()?, settings.map(Secret::new))
        }
        None => (None, None, None),
    };
    let of_file = source.secrets.map(secrets_in).transpose()?;
    let present = RootSecrets::of(place.data_dir)?;
    if let Some(configured) = place.master {
        replacement.check(MasterKey::of(configured).check_value())?;
        // The file only says what sessions are signed with; one that is there may stay.
        let is_needed = place.token.is_none() && present.is_none();
        let secrets = match of_file.or(of_backup) {
            Some(secrets) if is_needed => Brought::ForSessions(secrets),
            None if is_needed => {
                bail!("set SECRET_KEY as well, or name the file kept with it by --secrets")
            }
            Some(_) | None => Brought::Nothing,
        };
        return Ok(Prepared { made_at_ms, secrets, settings });
    }
    let is_brought = of_file.is_some() || of_backup.is_some();
    let Some(secrets) = of_file.or(of_backup).or(present) else {
        bail!(
            "it is the database alone, and its secrets are not here: name the file `secrets` that \
             was kept with it by --secrets, or set ENCRYPTION_KEY"
        );
    };
    replacement.check(secrets.master().check_value())?;
    let secrets = if is_brought { Brought::WithMaster(secrets) } else { Brought::Nothing };
    Ok(Prepared { made_at_ms, secrets, settings })
}

fn secrets_in(path: &Path) -> anyhow::Result<RootSecrets> {
    let text = fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()));
    let text = Zeroizing::new(text?);
    RootSecrets::parse(&text)
        .ok_or_else(|| anyhow!("{} is no file `secrets` of a data directory", path.display()))
}

/// Writes the database in a backup to where it is checked, and answers what stands in front of it.
fn unpack(replacement: &Replacement, source: Source<'_>) -> anyhow::Result<Option<Manifest>> {
    let mut file = File::open(source.file).context("it cannot be read")?;
    let mut magic = Vec::new();
    io::Read::by_ref(&mut file).take(DATABASE_MAGIC.len() as u64).read_to_end(&mut magic)?;
    file.rewind()?;
    if magic == DATABASE_MAGIC {
        if let Some(wal) = companion(source.file) {
            bail!(
                "{} lies beside it: it is a database in use or copied by hand; make a backup of it \
                 instead",
                wal.display()
            );
        }
        write(replacement, &mut BufReader::new(file))?;
        return Ok(None);
    }
    if !magic.starts_with(sealed_file::MAGIC) {
        bail!("it is no backup of this program");
    }
    let Some(passphrase) = source.passphrase else {
        bail!("it is sealed: name a file with its passphrase by --passphrase-file");
    };
    let mut reader = SealedReader::begin(BufReader::new(file), passphrase)
        .map_err(|error| anyhow!("it {error}"))?;
    let manifest = Manifest::read(&mut reader)?;
    write(replacement, &mut reader)?;
    Ok(Some(manifest))
}

/// A log beside a database that holds what is not in it yet.
fn companion(file: &Path) -> Option<PathBuf> {
    let mut name = file.as_os_str().to_owned();
    name.push("-wal");
    let path = PathBuf::from(name);
    fs::metadata(&path).is_ok_and(|wal| 0 < wal.len()).then_some(path)
}

fn write(replacement: &Replacement, from: &mut impl io::Read) -> anyhow::Result<()> {
    let mut to = BufWriter::new(replacement.create()?);
    io::copy(from, &mut to)?;
    to.flush()?;
    to.get_ref().sync_all()?;
    Ok(())
}

/// Writes the settings to where an admin finds them: those of another machine may not do for this one.
fn keep_settings(place: Place<'_>, settings: &Secret) -> anyhow::Result<PathBuf> {
    let path = place.data_dir.join("restored.env");
    let mut file = create_private(&path)?;
    file.write_all(settings.expose().as_bytes())?;
    file.sync_all()?;
    Ok(path)
}

/// Gives the secrets that are replaced a second name beside the database that they open.
fn keep_former_secrets(place: Place<'_>) -> anyhow::Result<()> {
    let former = place.data_dir.join("secrets");
    if !former.exists() {
        return Ok(());
    }
    let kept = place.data_dir.join(format!("backups/secrets.replaced-{}", place.now_ms));
    if let Some(directory) = kept.parent() {
        fs::create_dir_all(directory)?;
    }
    second_name(&former, &kept)?;
    Ok(())
}
