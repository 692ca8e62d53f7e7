//! Sudden death under load: what was answered as done is there, the last moment of the log may not.

use std::collections::HashSet;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use fake_upstream::{Options, Upstream, When};
use gemini_balance::random;
use parking_lot::Mutex;
use rusqlite::{Connection, OpenFlags};
use serde_json::json;
use tempfile::TempDir;
use tokio::task::JoinSet;

use crate::support::process::{Process, SERVICE_KEY, furnish, leading_to, log_in, with};
use crate::support::{Ask, Client, PASSWORD, eventually};

/// How much of the log a sudden death may cost: a quarter of a second by design, and the time that a
/// busy machine may take to write it.
const LAST_MOMENT: Duration = Duration::from_secs(1);
/// How long a start may take after it: a second by design, which the run prints, and more on a busy machine.
const READY: Duration = Duration::from_secs(10);

/// Requests that were answered in full, and when.
type Answered = Arc<Mutex<Vec<(Instant, String)>>>;

/// A gateway that dies again and again.
struct Mortal {
    gateway: Process,
    directory: TempDir,
    settings: Vec<(String, String)>,
    user_key: String,
    /// How often it has died.
    deaths: usize,
    /// How long each start after a death took.
    starts: Vec<Duration>,
    /// How long before a death the oldest request was answered that left no row.
    lost_age_max: Duration,
    _upstream: Upstream,
}

#[tokio::test(flavor = "multi_thread")]
async fn sudden_death_under_load_costs_only_the_last_moment_of_the_log() {
    let mut mortal = Mortal::start().await;

    for _ in 0..5 {
        mortal.dies_after(LAST_MOMENT * 3 / 2, 10).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "long: three minutes"]
#[expect(clippy::print_stdout, reason = "what it measures is to be seen")]
async fn a_hundred_sudden_deaths_at_random_moments_cost_no_more() {
    let mut mortal = Mortal::start().await;

    for _ in 0..100 {
        let [dice] = random::random_bytes().unwrap();
        mortal.dies_after(Duration::from_millis(10 * u64::from(dice)), 0).await;
    }

    mortal.starts.sort_unstable();
    let (median, longest) = (mortal.starts[50], mortal.starts[99]);
    println!("ready after {median:?} (median), {longest:?} (longest)");
    println!("the oldest row that was lost was {:?} old", mortal.lost_age_max);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_first_start_that_dies_is_completed_by_the_next() {
    check_first_starts(12).await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "long: a minute"]
async fn a_hundred_first_starts_that_die_are_completed_by_the_next() {
    check_first_starts(100).await;
}

/// First starts that end at random moments, most of them before they serve.
async fn check_first_starts(rounds: usize) {
    for _ in 0..rounds {
        let directory = tempfile::tempdir().unwrap();
        let settings = [("PASSWORD", PASSWORD)];
        let mut first = Process::start(directory.path(), &settings);
        let [dice] = random::random_bytes().unwrap();
        let life = Duration::from_micros(800 * u64::from(dice));
        tokio::time::sleep(life).await;
        first.signal("KILL");
        first.exit().await;

        let mut second = Process::start(directory.path(), &settings);
        let ended = second.serves_or_ends().await;

        assert!(ended.is_none(), "died after {life:?}: {}", second.output());
        log_in(second.address().await).await;
    }
}

impl Mortal {
    async fn start() -> Self {
        let upstream = Upstream::start().await.unwrap();
        upstream.on(When::any(), Options { first_byte_ms: 10, ..Options::default() });
        let directory = tempfile::tempdir().unwrap();
        let settings = leading_to(&upstream);
        let mut gateway = Process::start(directory.path(), &with(&settings, &[]));
        let user_key = furnish(&log_in(gateway.address().await).await).await;
        Self {
            gateway,
            directory,
            settings,
            user_key,
            deaths: 0,
            starts: Vec::new(),
            lost_age_max: Duration::ZERO,
            _upstream: upstream,
        }
    }

    /// Serves for a while, dies under load, comes back and is asked what it knows; at least this
    /// many answers must be old enough to be known.
    async fn dies_after(&mut self, time: Duration, old_answers_min: usize) {
        let address = self.gateway.address().await;
        let client = Client::new(address).bearer(&self.user_key);
        let admin = log_in(address).await;
        let (mut callers, answered) = keep_asking(&client);
        let began = Instant::now();
        eventually("it has answered for a while", async || {
            began.elapsed() > time && !answered.lock().is_empty()
        })
        .await;
        self.deaths += 1;
        let number = self.deaths;
        let added = json!({"api_keys": [format!("{SERVICE_KEY}-{number}")]});
        let user = json!({"alias": format!("user-{number}")});
        for (path, body) in [("/api/keys", &added), ("/api/auth_keys", &user)] {
            let reply = admin.post(path, body).await;
            assert!(reply.status.is_success(), "{}", reply.text());
        }
        let died = Instant::now();
        self.gateway.signal("KILL");
        callers.shutdown().await;
        self.gateway.exit().await;

        let began = Instant::now();
        self.gateway = Process::start(self.directory.path(), &with(&self.settings, &[]));
        let address = self.gateway.address().await;
        self.starts.push(began.elapsed());

        assert!(began.elapsed() < READY, "ready after {:?}", began.elapsed());
        let database = open(self.directory.path());
        let sound: String =
            database.query_row("PRAGMA integrity_check", [], |row| row.get(0)).unwrap();
        assert_eq!(sound, "ok");
        let known = request_ids(&database);
        let answered = answered.lock().clone();
        let ages = answered.iter().map(|(at, id)| (died.saturating_duration_since(*at), id));
        let old = ages.clone().filter(|(age, _)| *age > LAST_MOMENT).count();
        assert!(old >= old_answers_min, "{old} answers in {time:?}");
        let lost = ages.filter(|(_, id)| !known.contains(*id)).map(|(age, _)| age).max();
        let lost = lost.unwrap_or_default();
        assert!(lost < LAST_MOMENT, "a row that should have been on the disk for {lost:?}");
        self.lost_age_max = self.lost_age_max.max(lost);
        let admin = log_in(address).await;
        let keys = admin.get("/api/keys").await.json();
        assert_eq!(keys["total"], number + 1, "what was answered as done is there");
        let users = admin.get("/api/auth_keys").await.json();
        assert_eq!(users.as_array().unwrap().len(), number + 1);
        let client = Client::new(address).bearer(&self.user_key);
        Ask::gemini().is_answered(&client).await;
    }
}

/// Eight callers who ask one question after the other.
fn keep_asking(client: &Client) -> (JoinSet<()>, Answered) {
    let answered = Answered::default();
    let mut callers = JoinSet::new();
    for _ in 0..8 {
        let (client, answered) = (client.clone(), Arc::clone(&answered));
        callers.spawn(async move {
            loop {
                let reply = Ask::openai().of(&client).await;
                if !reply.is_cut {
                    let id = reply.header("x-request-id").to_owned();
                    answered.lock().push((Instant::now(), id));
                }
            }
        });
    }
    (callers, answered)
}

fn open(directory: &Path) -> Connection {
    let path = directory.join("data/gemini-balance.db");
    Connection::open_with_flags(path, OpenFlags::SQLITE_OPEN_READ_ONLY).unwrap()
}

/// The requests that the log on the disk knows.
fn request_ids(database: &Connection) -> HashSet<String> {
    let mut statement =
        database.prepare("SELECT lower(hex(request_id)) FROM request_logs").unwrap();
    let ids = statement.query_map([], |row| row.get(0)).unwrap();
    ids.map(Result::unwrap).collect()
}
