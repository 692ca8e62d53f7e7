//! A stage: an image set out in a folder, and its program started there as an engine would do it:
//! the root read-only, the volume writable, the user, the variables and the working directory those
//! of the image, no capability left.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use super::buildah::Buildah;
use crate::Outcome;

/// Sets the scene in a mount namespace of its own and becomes the program: its process number is
/// that of the shell. `$1` root, `$2` volume, `$3` user, `$4` group, `$5` working directory.
const SCRIPT: &str = r#"
root=$1 volume=$2 user=$3 group=$4 home=$5
shift 5
mount --bind "$root" "$root"
mount --bind "$volume" "$root/data"
mount -t proc proc "$root/proc"
mount -t tmpfs -o mode=755 tmpfs "$root/dev"
for device in null zero full random urandom; do
    : > "$root/dev/$device"
    mount --bind "/dev/$device" "$root/dev/$device"
done
mount -o remount,bind,ro "$root"
exec env -i "$@"
"#;

/// An image in a folder.
pub(super) struct Stage<'a> {
    buildah: &'a Buildah,
    container: String,
    /// The root of its files.
    pub(super) root: PathBuf,
    /// Numbers of user and group.
    user: (String, String),
    home: String,
    variables: Vec<String>,
    entrypoint: Vec<String>,
    health: Vec<String>,
}

impl<'a> Stage<'a> {
    /// Sets out an image that is in the store.
    ///
    /// # Errors
    ///
    /// If it is not, or says too little about itself.
    pub(super) fn new(buildah: &'a Buildah, image: &str) -> Outcome<Self> {
        let ask = |what: &str| -> Outcome<String> {
            buildah.ask(&["inspect", "--type", "image", "--format", what, image])
        };
        let lines = |what: &str| -> Outcome<Vec<String>> {
            let said =
                ask(&format!("{{{{range .Docker.Config.{what}}}}}{{{{println .}}}}{{{{end}}}}"))?;
            Ok(said.lines().filter(|it| !it.is_empty()).map(str::to_owned).collect())
        };
        let user = ask("{{.Docker.Config.User}}")?;
        let (user, group) = user.split_once(':').ok_or("the image names no user and group")?;
        let has_check = ask("{{if .Docker.Config.Healthcheck}}yes{{end}}")? == "yes";
        let test = if has_check { lines("Healthcheck.Test")? } else { Vec::new() };
        let health = match test.as_slice() {
            [] => Vec::new(),
            [kind, command @ ..] if kind == "CMD" => command.to_vec(),
            _ => return Err("the health check of the image needs a shell".into()),
        };
        let home = ask("{{.Docker.Config.WorkingDir}}")?;
        let container = buildah.ask(&["from", "--pull=never", image])?;
        let root = buildah.ask(&["mount", &container])?;
        let stage = Self {
            buildah,
            container,
            root: root.into(),
            user: (user.to_owned(), group.to_owned()),
            home: if home.is_empty() { "/".to_owned() } else { home },
            variables: lines("Env")?,
            entrypoint: lines("Entrypoint")?,
            health,
        };
        Ok(stage)
    }

    /// Every path that the image holds, below its root, in order.
    ///
    /// # Errors
    ///
    /// If the folder cannot be read.
    pub(super) fn files(&self) -> Outcome<Vec<(PathBuf, u64)>> {
        let mut found = Vec::new();
        let mut folders = vec![self.root.clone()];
        while let Some(folder) = folders.pop() {
            for entry in fs::read_dir(folder)? {
                let path = entry?.path();
                let facts = fs::symlink_metadata(&path)?;
                if facts.is_dir() {
                    folders.push(path);
                } else {
                    found.push((path.strip_prefix(&self.root)?.to_owned(), facts.len()));
                }
            }
        }
        found.sort();
        Ok(found)
    }

    /// The program of the image with these words and further variables, on a volume.
    ///
    /// # Errors
    ///
    /// If the scene cannot be set.
    pub(super) fn program(
        &self,
        words: &[&str],
        volume: &Path,
        more: &[(&str, &str)],
    ) -> Outcome<Command> {
        let words: Vec<_> = words.iter().map(|&word| word.to_owned()).collect();
        self.command(&[self.entrypoint.clone(), words].concat(), volume, more)
    }

    /// Whether the image's own health check is content.
    ///
    /// # Errors
    ///
    /// As [`Self::program`], or if the image has none.
    pub(super) fn is_healthy(&self, volume: &Path, more: &[(&str, &str)]) -> Outcome<bool> {
        if self.health.is_empty() {
            return Err("the image has no health check".into());
        }
        let output = self.command(&self.health, volume, more)?.output()?;
        Ok(output.status.success())
    }

    /// Number of the user that the program is started as.
    pub(super) fn user(&self) -> &str {
        &self.user.0
    }

    fn command(&self, words: &[String], volume: &Path, more: &[(&str, &str)]) -> Outcome<Command> {
        // An engine makes the places for what it mounts.
        for place in ["proc", "dev", "data"] {
            fs::create_dir_all(self.root.join(place))?;
        }
        let (user, group) = &self.user;
        let mut command = Command::new("unshare");
        command.args(["--mount", "sh", "-euc", SCRIPT, "sh"]).arg(&self.root).arg(volume);
        command.args([user, group, &self.home]);
        command.args(&self.variables);
        command.args(more.iter().map(|(name, value)| format!("{name}={value}")));
        command.arg("/usr/bin/unshare").arg(format!("--root={}", self.root.display()));
        command.arg(format!("--wd={}", self.home));
        command.args(["--setgid", group, "--setuid", user]).args(words);
        Ok(command)
    }
}

impl Drop for Stage<'_> {
    fn drop(&mut self) {
        if let Err(error) = self.buildah.ask(&["rm", &self.container]) {
            eprintln!("the stage cannot be taken down: {error}");
        }
    }
}
