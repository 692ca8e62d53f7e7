//! The real program as a process of its own: its output, its signals, its exit code.

use std::io::{BufRead, BufReader, Seek, Write};
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use parking_lot::Mutex;
use serde_json::json;

use crate::support::{Client, PASSWORD, PATIENCE};

/// A gateway as a process; killed when dropped.
pub(crate) struct Process {
    child: Child,
    output: Arc<Mutex<String>>,
    /// Those who gather the output, until both its ends are closed.
    gathering: Vec<JoinHandle<()>>,
}

impl Process {
    /// Starts the program in a directory with these settings and no others.
    pub(crate) fn start(directory: &Path, settings: &[(&str, &str)]) -> Self {
        Self::run(directory, &[], settings)
    }

    /// Runs a command of the program.
    pub(crate) fn run(directory: &Path, command: &[&str], settings: &[(&str, &str)]) -> Self {
        let program = Command::new(env!("CARGO_BIN_EXE_gemini-balance"));
        Self::spawn(program, directory, command, settings, Stdio::null())
    }

    /// Starts the program with so few descriptors.
    pub(crate) fn with_descriptors(
        count: usize,
        directory: &Path,
        settings: &[(&str, &str)],
    ) -> Self {
        let mut shell = Command::new("/bin/sh");
        let program = env!("CARGO_BIN_EXE_gemini-balance");
        shell.args(["-c", &format!("ulimit -n {count} && exec '{program}'")]);
        Self::spawn(shell, directory, &[], settings, Stdio::null())
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
        let program = Command::new(env!("CARGO_BIN_EXE_gemini-balance"));
        Self::spawn(program, directory, command, settings, file.into())
    }

    fn spawn(
        mut program: Command,
        directory: &Path,
        command: &[&str],
        settings: &[(&str, &str)],
        input: Stdio,
    ) -> Self {
        let mut child = program
            .args(command)
            .current_dir(directory)
            .env_clear()
            .envs([("PORT", "0"), ("UPSTREAM_ALLOW_PRIVATE", "true")])
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
        Self { child, output, gathering }
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
        self.line_after("serves on http://").await.parse().unwrap()
    }

    pub(crate) fn signal(&self, name: &str) {
        let id = self.child.id().to_string();
        assert!(Command::new("kill").args(["-s", name, &id]).status().unwrap().success());
    }

    /// How long it has kept a processor busy.
    pub(crate) fn cpu(&self) -> Duration {
        let stat = self.proc_file("stat");
        let fields: Vec<&str> = stat.rsplit_once(')').unwrap().1.split_whitespace().collect();
        let ticks: u64 = fields[11..=12].iter().map(|ticks| ticks.parse::<u64>().unwrap()).sum();
        // A tick has been a hundredth of a second for as long as Linux has shown it.
        Duration::from_millis(ticks * 10)
    }

    /// The most memory it has had, in MiB.
    pub(crate) fn memory_peak(&self) -> u64 {
        let status = self.proc_file("status");
        let (_, rest) = status.split_once("VmHWM:").unwrap();
        rest.split_whitespace().next().unwrap().parse::<u64>().unwrap() >> 10
    }

    fn proc_file(&self, name: &str) -> String {
        std::fs::read_to_string(format!("/proc/{}/{name}", self.child.id())).unwrap()
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
}

impl Drop for Process {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
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
