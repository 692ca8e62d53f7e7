//! The real program as a process of its own: its output, its signals, its exit code.
//!
//! It is at its most talkative unless a test wants otherwise, and when it is dropped, nothing
//! secret may be in what it said or left on the disk.

use std::ffi::OsString;
use std::io::{BufRead, BufReader, Seek, Write};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use fake_upstream::Upstream;
use parking_lot::Mutex;
use serde_json::json;

use crate::support::{Canaries, Client, PASSWORD, PATIENCE, eventually, leaks};

/// The service key of [`furnish`].
pub(crate) const SERVICE_KEY: &str = "canary-service-key-0123456789";

/// What it says when it serves.
const SERVES: &str = "serves on http://";

/// The variable that names another build of the program than the one made for the tests.
const PROGRAM: &str = "GEMINI_BALANCE_PROGRAM";

/// Where the program is.
fn program() -> OsString {
    std::env::var_os(PROGRAM).unwrap_or_else(|| env!("CARGO_BIN_EXE_gemini-balance").into())
}

/// A gateway as a process; killed when dropped.
pub(crate) struct Process {
    child: Child,
    output: Arc<Mutex<String>>,
    /// Those who gather the output, until both its ends are closed.
    gathering: Vec<JoinHandle<()>>,
    directory: PathBuf,
}

impl Process {
    /// Starts the program in a directory with these settings and no others.
    pub(crate) fn start(directory: &Path, settings: &[(&str, &str)]) -> Self {
        Self::run(directory, &[], settings)
    }

    /// As [`Process::start`], from a line of shell that ends by becoming the program, `"$0"`.
    pub(crate) fn start_from(shell: &str, directory: &Path, settings: &[(&str, &str)]) -> Self {
        let mut command = Command::new("sh");
        command.args(["-c", shell]).arg(program());
        Self::spawn(command, directory, settings, Stdio::null())
    }

    /// Runs a command of the program.
    pub(crate) fn run(directory: &Path, command: &[&str], settings: &[(&str, &str)]) -> Self {
        let mut program = Command::new(program());
        program.args(command);
        Self::spawn(program, directory, settings, Stdio::null())
    }

    /// Runs a command of the program that finds this on its standard input.
    pub(crate) fn feed(
        directory: &Path,
        command: &[&str],
        settings: &[(&str, &str)],
        input: &str,
    ) -> Self {
        let mut file = tempfile::tempfile().unwrap();
        file.write_all(input.as_bytes()).unwrap();
        file.rewind().unwrap();
        let mut program = Command::new(program());
        program.args(command);
        Self::spawn(program, directory, settings, file.into())
    }

    fn spawn(
        mut program: Command,
        directory: &Path,
        settings: &[(&str, &str)],
        input: Stdio,
    ) -> Self {
        let canaries = Canaries::of_processes();
        settings.iter().for_each(|(name, value)| canaries.learn_setting(name, value));
        let mut child = program
            .current_dir(directory)
            .env_clear()
            .env("PATH", "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin")
            .envs([("PORT", "0"), ("UPSTREAM_ALLOW_PRIVATE", "true"), ("LOG_LEVEL", "TRACE")])
            .envs(settings.iter().copied())
            .stdin(input)
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let output = Arc::<Mutex<String>>::default();
        let gathering = vec![
            gather(child.stdout.take().unwrap(), &output),
            gather(child.stderr.take().unwrap(), &output),
        ];
        Self { child, output, gathering, directory: directory.to_owned() }
    }

    /// Everything that was said so far, on both outputs.
    pub(crate) fn output(&self) -> String {
        self.output.lock().clone()
    }

    /// Waits until something is said, and answers it to the end of its line.
    pub(crate) async fn line_after(&mut self, text: &str) -> String {
        let began = Instant::now();
        loop {
            let output = self.output();
            if let Some((_, rest)) = output.split_once(text)
                && let Some((line, _)) = rest.split_once('\n')
            {
                return line.trim().to_owned();
            }
            assert!(began.elapsed() < PATIENCE, "`{text}` was not said: {output}");
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }

    /// Waits until it serves, and answers where.
    pub(crate) async fn address(&mut self) -> SocketAddr {
        self.line_after(SERVES).await.parse().unwrap()
    }

    /// Waits until it serves, or until its end.
    pub(crate) async fn serves_or_ends(&mut self) -> Option<ExitStatus> {
        let mut ended = false;
        eventually("it serves or ends", async || {
            ended = self.child.try_wait().unwrap().is_some();
            ended || self.output().contains(SERVES)
        })
        .await;
        if ended { Some(self.exit().await) } else { None }
    }

    /// Its number among the processes of the system.
    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    pub(crate) fn signal(&self, name: &str) {
        let id = self.id().to_string();
        assert!(Command::new("kill").args(["-s", name, &id]).status().unwrap().success());
    }

    /// How long it has kept a processor busy.
    pub(crate) fn cpu(&self) -> Duration {
        let stat = std::fs::read_to_string(format!("/proc/{}/stat", self.id())).unwrap();
        let fields: Vec<&str> = stat.rsplit_once(')').unwrap().1.split_whitespace().collect();
        let ticks: u64 = fields[11..=12].iter().map(|ticks| ticks.parse::<u64>().unwrap()).sum();
        // A tick has been a hundredth of a second for as long as Linux has shown it.
        Duration::from_millis(ticks * 10)
    }

    /// How much memory it holds, in KiB, and the most it has held since
    /// [`Process::forget_peak_memory`].
    pub(crate) fn memory_kib(&self) -> (u64, u64) {
        memory_kib(self.id())
    }

    /// Begins a new measurement of the most memory held.
    pub(crate) fn forget_peak_memory(&self) {
        std::fs::write(format!("/proc/{}/clear_refs", self.child.id()), "5").unwrap();
    }

    /// Waits for its end; its output is complete then.
    pub(crate) async fn exit(&mut self) -> ExitStatus {
        let began = Instant::now();
        loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                self.gathering.drain(..).for_each(|gathering| gathering.join().unwrap());
                return status;
            }
            assert!(began.elapsed() < PATIENCE, "it does not end: {}", self.output());
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }

    /// Fails if something secret was said or lies on the disk in clear.
    fn check_discreet(&self) {
        let canaries = Canaries::of_processes();
        canaries.learn_secrets_file(&self.directory.join("data"));
        // What is shown to a person once says so itself.
        let output = self.output();
        let lines = output.lines().filter(|line| !line.contains("(shown only now): "));
        let said: String = lines.collect::<Vec<_>>().join("\n");
        let leaks = canaries.leaks(said.as_bytes(), &[]);
        assert!(leaks.is_empty(), "{leaks:?} was said: {said}");
        for (path, bytes) in leaks::files(&self.directory) {
            let leaks = canaries.leaks(&bytes, leaks::may_hold(&path));
            assert!(leaks.is_empty(), "{leaks:?} in {}", path.display());
        }
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
        self.gathering.drain(..).for_each(|gathering| drop(gathering.join()));
        if !std::thread::panicking() {
            self.check_discreet();
        }
    }
}

/// Settings that lead to an upstream, with [`PASSWORD`].
pub(crate) fn leading_to(upstream: &Upstream) -> Vec<(String, String)> {
    let (gemini, openai) = (upstream.url(), format!("{}/v1beta/openai", upstream.url()));
    [
        ("GEMINI_API_BASE_URL", gemini),
        ("OPENAI_API_BASE_URL", openai),
        ("PASSWORD", PASSWORD.into()),
    ]
    .map(|(name, value)| (name.to_owned(), value))
    .to_vec()
}

/// Settings and some more, as [`Process::start`] takes them.
pub(crate) fn with<'a>(
    settings: &'a [(String, String)],
    more: &[(&'a str, &'a str)],
) -> Vec<(&'a str, &'a str)> {
    let settings = settings.iter().map(|(name, value)| (name.as_str(), value.as_str()));
    settings.chain(more.iter().copied()).collect()
}

/// Adds [`SERVICE_KEY`] and answers a user key.
pub(crate) async fn furnish(admin: &Client) -> String {
    admin.post("/api/keys", &json!({"api_keys": [SERVICE_KEY]})).await;
    let made = admin.post("/api/auth_keys", &json!({"alias": "alice"})).await;
    made.json()["api_key"].as_str().unwrap().to_owned()
}

/// How much memory a process of this machine holds, in KiB, and the most it has held.
pub(crate) fn memory_kib(process: u32) -> (u64, u64) {
    let status = std::fs::read_to_string(format!("/proc/{process}/status")).unwrap();
    let figure = |name: &str| {
        let (_, rest) = status.split_once(name).unwrap();
        rest.split_whitespace().next().unwrap().parse().unwrap()
    };
    (figure("VmRSS:"), figure("VmHWM:"))
}

/// Logs in at a process that was started with [`PASSWORD`].
pub(crate) async fn log_in(address: SocketAddr) -> Client {
    let body = json!({"username": "admin", "password": PASSWORD});
    let reply = Client::new(address).post("/api/auth/login", &body).await;
    Client::new(address).bearer(reply.json()["access_token"].as_str().unwrap())
}

fn gather(from: impl std::io::Read + Send + 'static, into: &Arc<Mutex<String>>) -> JoinHandle<()> {
    let into = Arc::clone(into);
    std::thread::spawn(move || {
        for line in BufReader::new(from).lines().map_while(Result::ok) {
            let mut output = into.lock();
            output.push_str(&line);
            output.push('\n');
        }
    })
}
