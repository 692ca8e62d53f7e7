//! `cargo xtask deb`: the Debian package, made by cargo-deb, and what becomes of a small Debian on
//! which it is installed, run, installed again, removed and purged.

use std::{
    collections::BTreeSet,
    fs,
    os::unix::fs::{MetadataExt, PermissionsExt},
    path::{Path, PathBuf},
    process::Command,
};

use super::{debian, dist, folder, megabytes, output, version};
use crate::{Outcome, companion::Companion, http, step::Step};

const DATA: &str = "var/lib/gemini-balance";
const SETTINGS: &str = "etc/gemini-balance/gemini-balance.toml";
const PROGRAM: &str = "usr/bin/gemini-balance";
/// What every installation of anything changes.
const EVERYBODYS: &[&str] = &[
    "dev",
    "proc",
    "sys",
    "tmp",
    "run",
    "var/cache",
    "var/lib/apt",
    "var/lib/dpkg",
    "var/log",
    "var/backups",
    // What the users' lists were before.
    "etc/passwd-",
    "etc/shadow-",
    "etc/group-",
    "etc/gshadow-",
    "etc/subuid-",
    "etc/subgid-",
];

/// Makes the package.
///
/// # Errors
///
/// If something does not build, or cargo-deb is not there.
pub(crate) fn build() -> Outcome<PathBuf> {
    if !Step::cargo("deb --version").succeeds() {
        return Err("`cargo install cargo-deb --locked` brings what makes the package".into());
    }
    // The very program that the archive and the image hold.
    dist::program()?;
    fs::write(folder()?.join("changelog"), changelog()?)?;
    let package = folder()?.join("gemini-balance.deb");
    Step::cargo("deb --locked --no-build --no-strip --package gemini-balance --target")
        .argument(dist::host()?)
        .words("--output")
        .argument(&package)
        .env("SOURCE_DATE_EPOCH", dist::epoch().to_string())
        .run()?;
    let said = output(Command::new("dpkg-deb").arg("--info").arg(&package))?;
    println!("{said}{}: {}", package.display(), megabytes(fs::metadata(&package)?.len()));
    Ok(package)
}

/// The change that Debian's tools look for.
fn changelog() -> Outcome<String> {
    let time = format!("--date=@{}", dist::epoch());
    let day = output(Command::new("date").args(["--utc", "--rfc-email", &time]))?;
    // A pre-release lies before its release there.
    let version = version()?.replacen('-', "~", 1);
    Ok(format!(
        "gemini-balance ({version}-1) unstable; urgency=medium\n\n  \
         * What has changed stands in CHANGELOG.md beside this file.\n\n \
         -- The Gemini Balance contributors <maintainers@gemini-balance.invalid>  {day}"
    ))
}

/// Installs the package that was made on a fresh Debian, uses it, and takes it away again.
///
/// # Errors
///
/// If something does not hold.
pub(crate) fn check() -> Outcome {
    let package = folder()?.join("gemini-balance.deb");
    if !package.is_file() {
        return Err("`cargo xtask deb` makes the package first".into());
    }
    let debian = debian::fresh("deb")?;
    // The model may be of another day than what it would install.
    apt(&debian, "update -qq")?;
    fs::copy(&package, debian.join("root/gemini-balance.deb"))?;
    let before = files(&debian)?;

    apt(&debian, "install -y -qq --no-install-recommends /root/gemini-balance.deb")?;
    is_furnished(&debian)?;
    starts_by_hand(&debian)?;
    let settings = debian.join(SETTINGS);
    let ours = format!("{}log_level = \"debug\"\n", fs::read_to_string(&settings)?);
    fs::write(&settings, &ours)?;

    apt(&debian, "install -y -qq --reinstall /root/gemini-balance.deb")?;
    ensure(fs::read_to_string(&settings)? == ours, "installing again changed the settings")?;
    starts_by_hand(&debian)?;

    apt(&debian, "remove -y -qq gemini-balance")?;
    ensure(!debian.join(PROGRAM).exists(), "removed, the program is there")?;
    ensure(fs::read_to_string(&settings)? == ours, "removed, the settings are gone")?;
    let database = debian.join(DATA).join("gemini-balance.db");
    ensure(database.is_file(), "removed, the database is gone")?;

    apt(&debian, "purge -y -qq gemini-balance")?;
    let after = files(&debian)?;
    let left: Vec<_> = after.symmetric_difference(&before).collect();
    ensure(left.is_empty(), &format!("purged, the difference is {left:?}"))?;
    let users = fs::read_to_string(debian.join("etc/passwd"))?;
    ensure(!users.contains("gemini-balance"), "purged, the user is there")?;
    println!("deb: 5 passed, 0 failed");
    Ok(())
}

/// Owners and modes after the installation.
fn is_furnished(debian: &Path) -> Outcome {
    let users = fs::read_to_string(debian.join("etc/passwd"))?;
    let user = users.lines().find_map(|line| line.strip_prefix("gemini-balance:"));
    let mut numbers = user.ok_or("there is no user")?.split(':').skip(1);
    let mut number = || -> Outcome<u32> { Ok(numbers.next().unwrap_or_default().parse()?) };
    let (user, group) = (number()?, number()?);
    for (path, mode, owner) in [
        (DATA, 0o700, (user, group)),
        ("etc/gemini-balance", 0o750, (0, group)),
        (SETTINGS, 0o640, (0, group)),
        (PROGRAM, 0o755, (0, 0)),
    ] {
        let facts = fs::metadata(debian.join(path))?;
        let found = (facts.permissions().mode() & 0o7777, (facts.uid(), facts.gid()));
        ensure(found == (mode, owner), &format!("{path} has mode and owner {found:?}"))?;
    }
    let unit = ["usr/lib/systemd/system", "lib/systemd/system"];
    let is_there = unit.iter().any(|at| debian.join(at).join("gemini-balance.service").is_file());
    ensure(is_there, "there is no unit")
}

/// Without systemd: as the user, in the folder of the settings.
fn starts_by_hand(debian: &Path) -> Outcome {
    let port = http::free_port(0)?;
    let own = |words: &[&str]| {
        let mut command = Command::new("chroot");
        command.arg("--userspec=gemini-balance:gemini-balance").arg(debian);
        command.args(["/usr/bin/env", "-i", "-C", "/etc/gemini-balance"]);
        command.arg(format!("PORT={port}")).arg("/usr/bin/gemini-balance").args(words);
        command
    };
    let log = folder()?.join("deb.log");
    let mut gateway = Companion::start(&own(&[]), &log)?;
    gateway.wait_until_ready(port, "/health")?;
    let said = output(&mut own(&["health"]))?;
    ensure(said.contains("is alive"), &said)?;
    output(Command::new("kill").args(["-s", "TERM", &gateway.id().to_string()]))?;
    gateway.wait()
}

fn apt(debian: &Path, words: &str) -> Outcome {
    output(debian::inside(debian, "apt-get").args(words.split(' '))).map(drop)
}

/// Every path below a folder, but for those that every installation changes.
fn files(debian: &Path) -> Outcome<BTreeSet<PathBuf>> {
    let mut found = BTreeSet::new();
    let mut folders = vec![debian.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder)? {
            let path = entry?.path();
            let inside = path.strip_prefix(debian)?.to_owned();
            if EVERYBODYS.iter().any(|it| inside == Path::new(it)) {
                continue;
            }
            if fs::symlink_metadata(&path)?.is_dir() {
                folders.push(path);
            }
            found.insert(inside);
        }
    }
    Ok(found)
}

fn ensure(holds: bool, otherwise: &str) -> Outcome {
    if holds { Ok(()) } else { Err(otherwise.into()) }
}
