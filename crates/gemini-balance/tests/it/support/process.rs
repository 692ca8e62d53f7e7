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
        Self::spawn(directory, command, settings, Stdio::null())
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
        Self::spawn(directory, command, settings, file.into())
    }

    fn spawn(directory: &Path, command: &[&str], settings: &[(&str, &str)], input: Stdio) -> Self {
        let mut child = Command::new(env!("CARGO_BIN_EXE_gemini-balance"))
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

    /// How much memory it holds, in KiB, and the most it has held since
    /// [`Process::forget_peak_memory`].
    pub(crate) fn memory_kib(&self) -> (u64, u64) {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.child.id())).unwrap();
        let figure = |name: &str| {
            let (_, rest) = status.split_once(name).unwrap();
            rest.split_whitespace().next().unwrap().parse().unwrap()
        };
        (figure("VmRSS:"), figure("VmHWM:"))
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
