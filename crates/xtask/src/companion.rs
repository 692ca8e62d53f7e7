//! A companion: a program that runs beside a chore and never outlives it, however the chore ends.
//!
//! It is started by a small shell script that reads from a pipe we hold. When the pipe closes –
//! dropped here, or by the system because this process was killed – the script asks the program to
//! end.

use std::{
    fs::File,
    path::{Path, PathBuf},
    process::{Child, ChildStdin, Command, Stdio},
    thread,
    time::{Duration, Instant},
};

use crate::{Outcome, http};

/// The shell's own process becomes the program; the reader of the pipe stays behind and knows its
/// number, `$$`.
const SCRIPT: &str =
    r#"exec 3<&0; (cat <&3 >/dev/null; kill "$$" 2>/dev/null) & exec "$@" 3<&- </dev/null"#;

const READY_WAIT_MAX: Duration = Duration::from_secs(30);
const READY_PAUSE: Duration = Duration::from_millis(50);

/// A running program that ends with this guard.
pub(crate) struct Companion {
    name: String,
    child: Child,
    lifeline: Option<ChildStdin>,
    log: PathBuf,
}

impl Companion {
    /// Starts what `program` describes; its output goes into the file `log`.
    ///
    /// # Errors
    ///
    /// If the log cannot be created or no shell can be started.
    pub(crate) fn start(program: &Command, log: &Path) -> Outcome<Self> {
        let path = Path::new(program.get_program());
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let output = File::create(log)?;
        let variables = program.get_envs().filter_map(|(name, value)| Some((name, value?)));
        let mut child = Command::new("sh")
            .args(["-c", SCRIPT, "sh"])
            .arg(path)
            .args(program.get_args())
            .envs(variables)
            .current_dir(program.get_current_dir().unwrap_or(Path::new(".")))
            .stdin(Stdio::piped())
            .stdout(output.try_clone()?)
            .stderr(output)
            .spawn()
            .map_err(|error| format!("{name} cannot start: {error}"))?;
        // Taken out, since waiting for a child would otherwise close the pipe, which is how it is
        // told to end.
        let lifeline = child.stdin.take();
        Ok(Self { name, child, lifeline, log: log.to_owned() })
    }

    /// Returns the number of the program's process.
    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    /// Waits until `path` on `port` answers 200.
    ///
    /// # Errors
    ///
    /// If the program ends first, or half a minute passes.
    pub(crate) fn wait_until_ready(&mut self, port: u16, path: &str) -> Outcome {
        let deadline = Instant::now() + READY_WAIT_MAX;
        while http::get(port, path).map_or(true, |answer| answer.status != 200) {
            if let Some(status) = self.child.try_wait()? {
                return Err(format!(
                    "{} ended at once ({status}); see {}",
                    self.name,
                    self.log.display()
                )
                .into());
            }
            if deadline <= Instant::now() {
                return Err(
                    format!("{} is not ready; see {}", self.name, self.log.display()).into()
                );
            }
            thread::sleep(READY_PAUSE);
        }
        Ok(())
    }

    /// Waits until the program ends by itself.
    ///
    /// # Errors
    ///
    /// If it ends with a failure.
    pub(crate) fn wait(mut self) -> Outcome {
        let status = self.child.wait()?;
        if status.success() {
            Ok(())
        } else {
            Err(format!("{} ended ({status})", self.name).into())
        }
    }
}

impl Drop for Companion {
    fn drop(&mut self) {
        drop(self.lifeline.take());
        if let Err(error) = self.child.wait() {
            eprintln!("{} was asked to end, but cannot be waited for: {error}", self.name);
        }
    }
}
