//! Moving in: from the Python version at the first start and by hand, and from other gateways.

mod endings;
mod hostile;
mod interrupted;
mod others;
mod predecessor;
mod variants;

use std::fs;
use std::path::{Path, PathBuf};

use rusqlite::Connection;
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};
use tempfile::TempDir;

use crate::support::process::Process;
use crate::support::{Client, PATIENCE};

/// Some hours after the fixtures were made, in ms since 1970.
const NOW_MS: i64 = 1_795_390_000_000;

/// A database of the Python version.
fn fixture(version: u32) -> PathBuf {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/it/fixtures/predecessor");
    Path::new(folder).join(format!("v{version}.sqlite"))
}

/// A directory with what somebody wants to move in from, and a data directory to move into.
struct Desk {
    directory: TempDir,
}

impl Desk {
    fn new() -> Self {
        Self { directory: tempfile::tempdir().unwrap() }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    /// A file with these bytes.
    fn file(&self, name: &str, bytes: impl AsRef<[u8]>) -> PathBuf {
        let path = self.path(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, bytes).unwrap();
        path
    }

    /// A database that these statements make.
    fn database(&self, name: &str, sql: &str) -> PathBuf {
        let path = self.path(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        let connection = Connection::open(&path).unwrap();
        connection.execute_batch(sql).unwrap();
        connection.close().unwrap();
        path
    }

    /// Runs `gemini-balance import` to its end, and answers its exit code and what it said.
    async fn import(&self, arguments: &[&str]) -> (i32, String) {
        let command: Vec<&str> = ["import"].into_iter().chain(arguments.iter().copied()).collect();
        let mut process = Process::run(self.directory.path(), &command, &[("LOG_LEVEL", "INFO")]);
        let code = process.exit().await.code().unwrap();
        (code, process.output())
    }

    /// Our database.
    fn ours(&self) -> Connection {
        Connection::open(self.path("data/gemini-balance.db")).unwrap()
    }

    /// A number that our database answers.
    fn count(&self, sql: &str) -> i64 {
        self.ours().query_row(sql, [], |row| row.get(0)).unwrap()
    }
}

/// What a file and everything beside it is, to the last byte.
fn looks(path: &Path) -> Vec<(PathBuf, Vec<u8>)> {
    let entries = fs::read_dir(path.parent().unwrap()).unwrap().map(|entry| entry.unwrap().path());
    let files = entries.filter(|path| path.is_file());
    let mut looks: Vec<_> = files
        .map(|path| {
            let digest = Sha256::digest(fs::read(&path).unwrap());
            (path, digest.to_vec())
        })
        .collect();
    looks.sort();
    looks
}

/// Waits for the end of a job.
async fn finished(admin: &Client, job: &Value) -> Value {
    let path = format!("/api/jobs/{}", job["id"].as_str().unwrap());
    let over = async {
        loop {
            let job = admin.get(&path).await.json();
            if !job["ended_at"].is_null() {
                return job;
            }
        }
    };
    tokio::time::timeout(PATIENCE * 3, over).await.expect("the job does not end")
}

/// A question in Google's dialect.
fn question() -> Value {
    json!({"contents": [{"role": "user", "parts": [{"text": "hello"}]}]})
}
