//! The data directory and the files beside it: room, rights, and whether it can be written at all.

use std::fs;
use std::io::{self, ErrorKind};
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use crate::cli::doctor::Finding;
use crate::config::{Config, Setting, Source};
use crate::disk::Room;

/// Less than this soon holds no further log, in bytes and in percent.
const FREE_BYTES_MIN: u64 = 256 << 20;
const FREE_PERCENT_MIN: u64 = 5;
/// Settings whose text is a secret, or may hold one.
const SECRET: [&str; 13] = [
    "PASSWORD",
    "SECRET_KEY",
    "ENCRYPTION_KEY",
    "CF_AI_AUTHORIZATION_KEY",
    "BACKUP_PASSPHRASE",
    "ALERT_WEBHOOK_URL",
    "ALERT_WEBHOOK_TOKEN",
    "ALERT_TELEGRAM_TOKEN",
    "ALERT_SMTP_URL",
    "OTEL_EXPORTER_OTLP_HEADERS",
    "HTTP_PROXY",
    "HTTPS_PROXY",
    "ALL_PROXY",
];

pub(super) fn findings(config: &Config) -> Vec<Finding> {
    let data_dir = &config.storage.data_dir;
    let mut findings = Vec::new();
    if data_dir.is_dir() {
        findings.push(writable(data_dir));
        findings.extend(rights(data_dir, 0o700));
        findings.extend(rights(&data_dir.join("secrets"), 0o600));
        findings.extend(rights(&config.storage.database(), 0o600));
        findings.extend(room(data_dir));
    }
    if config.backups.every_ms.is_some() && config.backups.dir.is_dir() {
        findings.push(writable(&config.backups.dir));
        findings.extend(rights(&config.backups.dir, 0o700));
    }
    for (source, file) in [(Source::DotEnv, ".env"), (Source::File, "gemini-balance.toml")] {
        let is_secret = |it: &Setting| it.source == source && SECRET.contains(&it.name);
        if config.settings.iter().any(is_secret) {
            findings.extend(rights(Path::new(file), 0o600));
        }
    }
    findings
}

/// Whether a file can be made here.
fn writable(directory: &Path) -> Finding {
    let probe = directory.join(format!("doctor-{}", std::process::id()));
    let made = fs::write(&probe, "x").and_then(|()| fs::remove_file(&probe));
    match made {
        Ok(()) => Finding::good(format!("{} can be written", directory.display())),
        Err(error) => Finding::bad(
            format!("{} cannot be written: {error}", directory.display()),
            remedy(&error),
        ),
    }
}

fn remedy(error: &io::Error) -> &'static str {
    if error.kind() == ErrorKind::StorageFull {
        return "make room on its disk";
    }
    if error.kind() == ErrorKind::ReadOnlyFilesystem {
        return "its disk is read-only: mount it for writing, or set DATA_DIR";
    }
    "it must belong to the gateway's user: `chown` it, or set DATA_DIR"
}

/// Whether nobody but the owner has rights to it.
fn rights(path: &Path, most: u32) -> Option<Finding> {
    let mode = fs::metadata(path).ok()?.permissions().mode() & 0o777;
    let shown = path.display();
    Some(if mode & !most & 0o077 == 0 {
        Finding::good(format!("{shown} is for its owner only"))
    } else {
        Finding::bad(
            format!("{shown} can be read by others (mode {mode:03o}), and holds secrets"),
            format!("chmod {most:o} {shown}"),
        )
    })
}

fn room(directory: &Path) -> Option<Finding> {
    let room = Room::at(directory).ok()?;
    let shown = directory.display();
    if room.is_remote {
        return Some(Finding::bad(
            format!("{shown} lies on a share of another machine, where a database breaks"),
            "set DATA_DIR to a directory on a disk of this machine",
        ));
    }
    let (percent, megabytes) = (room.free_percent(), room.free_bytes >> 20);
    let is_short = room.free_bytes < FREE_BYTES_MIN || percent < FREE_PERCENT_MIN;
    Some(if is_short {
        Finding::bad(
            format!("the disk of {shown} has only {megabytes} MiB ({percent} %) free"),
            "make room, or lower LOG_MAX_MB and LOG_RETENTION_DAYS",
        )
    } else {
        Finding::good(format!("the disk of {shown} has {megabytes} MiB ({percent} %) free"))
    })
}
