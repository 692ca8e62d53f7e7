//! The long run: the real program under mixed traffic, every fault, restarts and sudden deaths,
//! for as long as one likes; at the end nothing may be left over and nothing missing.
//!
//! `cargo xtask soak [MINUTES]` runs it with the release build and shows its progress.

#![expect(clippy::disallowed_methods, reason = "how long is said from outside, as is no setting")]

mod callers;
mod dice;
mod vitals;
mod weather;

use std::collections::HashMap;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use fake_upstream::{Options, Settings, Upstream};
use rusqlite::{Connection, OpenFlags};
use serde_json::json;

use crate::support::process::{Process, log_in};
use crate::support::{Client, Metrics, PASSWORD};

use self::callers::{Answered, Callers, Told, administer};
use self::dice::Dice;
use self::vitals::{Vitals, growth_kib};
use self::weather::Sky;

/// The variable that says how long, in minutes; fractions are fine.
const MINUTES: &str = "SOAK_MINUTES";
/// The variable that repeats an earlier run.
const SEED: &str = "SOAK_SEED";
/// How much of the log a sudden death may cost: what the journal promises, and what a busy machine
/// needs.
const LAST_MOMENT: Duration = Duration::from_millis(1_000);
/// How much the memory of a life may grow from its third quarter to its last, in KiB.
const GROWTH_KIB_MAX: i64 = 3 * 1_024;
/// A life shorter than this says nothing about growth.
const GROWTH_NEEDS: Duration = Duration::from_secs(5 * 60);
/// The pause between two looks at the process.
const LOOK: Duration = Duration::from_secs(5);

/// How a life ends.
#[derive(Debug, Clone, Copy)]
enum End {
    /// When all callers have gone.
    InPeace,
    /// By a termination while everybody asks.
    Termination,
    /// By a kill that nobody can prepare for.
    Kill,
}

/// Everything that outlives a life of the process.
struct Run {
    upstream: Upstream,
    directory: tempfile::TempDir,
    user_key: String,
    sky: Arc<Sky>,
    season: Duration,
    dice: Dice,
    began: Instant,
    /// The newest row that earlier lives wrote.
    rows: i64,
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "long: `cargo xtask soak` runs it"]
async fn a_long_life_of_traffic_faults_and_restarts_leaves_nothing_over_and_nothing_missing() {
    let minutes: f64 = std::env::var(MINUTES).map_or(1.0, |minutes| minutes.parse().unwrap());
    let length = Duration::from_secs_f64(minutes * 60.0);
    let seed = std::env::var(SEED).map_or(std::process::id().into(), |seed| seed.parse().unwrap());
    println!("soak of {minutes} minutes, seed {seed}");
    let mut run = Run::begin(length, seed).await;

    // Half of the time one life, whose memory is watched; then many lives, one after the other.
    run.live(length / 2, End::InPeace).await;
    let short = (length / 40).max(Duration::from_secs(3));
    for end in [End::Kill, End::Termination, End::Kill, End::InPeace].into_iter().cycle() {
        if run.began.elapsed() >= length {
            break;
        }
        run.live(short, end).await;
    }

    run.check_the_database();
}

impl Run {
    async fn begin(length: Duration, seed: u64) -> Self {
        // Recording every request would cost the memory of the whole run.
        let settings = Settings { options: Options::default(), is_strict: false, seen_max: 0 };
        let upstream = Upstream::start_with(([127, 0, 0, 1], 0).into(), settings).await.unwrap();
        weather::begin(&upstream);
        let season = (length / 40).clamp(Duration::from_secs(3), Duration::from_secs(20));
        let mut run = Self {
            upstream,
            directory: tempfile::tempdir().unwrap(),
            user_key: String::new(),
            sky: Arc::new(Sky::new()),
            season,
            dice: Dice::new(seed),
            began: Instant::now(),
            rows: 0,
        };
        let mut gateway = run.start();
        let admin = log_in(gateway.address().await).await;
        admin.post("/api/keys", &json!({"api_keys": weather::keys()})).await;
        let made = admin.post("/api/auth_keys", &json!({"alias": "alice"})).await.json();
        made["api_key"].as_str().unwrap().clone_into(&mut run.user_key);
        gateway.signal("TERM");
        assert!(gateway.exit().await.success(), "{}", gateway.output());
        run
    }

    fn start(&self) -> Process {
        let url = self.upstream.url();
        let settings = [
            ("GEMINI_API_BASE_URL", url.as_str()),
            ("OPENAI_API_BASE_URL", &format!("{url}/v1beta/openai")),
            ("PASSWORD", PASSWORD),
            ("WORKERS", "2"),
            ("METRICS_PUBLIC", "true"),
            // One login is to last for the longest life.
            ("ACCESS_TOKEN_EXPIRE_MINUTES", "10080"),
            ("LOG_LEVEL", "INFO"),
            ("LOG_FILE_DIR", "logs"),
            ("LOG_FILE_MAX_MB", "1"),
            ("BODY_LIMIT_MB", "1"),
            // So many that a request finds the key that can serve it, however many cannot.
            ("MAX_RETRIES", "50"),
            ("ATTEMPT_TIMEOUT_SECONDS", "3"),
            // Less than the callers' patience, also when every key is silent.
            ("REQUEST_TIMEOUT_SECONDS", "10"),
            ("STREAM_IDLE_TIMEOUT_SECONDS", "2"),
            ("HEARTBEAT_SECONDS", "1"),
            ("API_KEY_COOL_DOWN_SECONDS", "5"),
            ("DRAIN_SECONDS", "3"),
        ];
        Process::start(self.directory.path(), &settings)
    }

    /// Lets the gateway live for so long and end so, and checks what it leaves.
    async fn live(&mut self, length: Duration, end: End) {
        let began = Instant::now();
        let mut gateway = self.start();
        let address = gateway.address().await;
        let ready = began.elapsed();
        let (stranger, admin) = (Client::new(address), log_in(address).await);
        let client = stranger.bearer(&self.user_key);
        let at_first = self.look(&gateway, &stranger).await.1;
        let mut callers = Callers::begin(&client, &stranger, &self.sky, self.dice.below(u64::MAX));
        let mut seen = Vec::new();
        {
            let weather_dice = Dice::new(self.dice.below(u64::MAX));
            let admin_dice = Dice::new(self.dice.below(u64::MAX));
            let told = Arc::clone(&callers.told);
            let watching = async {
                loop {
                    seen.push(self.look(&gateway, &stranger).await.1);
                    if seen.len() % 12 == 0 {
                        self.tell(&seen, &told);
                    }
                    tokio::time::sleep(LOOK).await;
                }
            };
            tokio::select! {
                () = self.sky.change(&self.upstream, &admin, self.season, weather_dice) => {}
                () = administer(admin.clone(), admin_dice) => {}
                () = watching => {}
                () = callers.stay() => {}
                () = tokio::time::sleep(length) => {}
            }
        }
        self.sky.turn(false);
        weather::begin(&self.upstream);

        let mut counted = None;
        let told = match end {
            End::InPeace => {
                let told = callers.end().await;
                counted = Some(self.when_nothing_is_left(&gateway, &stranger, at_first).await);
                gateway.signal("TERM");
                told
            }
            End::Termination => {
                gateway.signal("TERM");
                callers.end().await
            }
            End::Kill => {
                gateway.signal("KILL");
                callers.abort().await
            }
        };
        let died = Instant::now();
        let status = gateway.exit().await;
        assert!(status.success() || matches!(end, End::Kill), "{status}: {}", gateway.output());
        let complaints = told.complaints.lock();
        let first = complaints.iter().take(5).collect::<Vec<_>>();
        assert!(complaints.is_empty(), "{} complaints: {first:#?}", complaints.len());
        drop(complaints);
        let rows = self.check_rows(&told, matches!(end, End::Kill).then_some(died));
        assert!(counted.is_none_or(|counted| counted == rows), "{counted:?} requests, {rows} rows");
        let growth = growth_kib(&seen);
        assert!(length < GROWTH_NEEDS || growth < GROWTH_KIB_MAX, "grows by {growth} KiB");
        println!(
            "{:?} after {:.0?}: ready in {ready:.0?}, {rows} requests with their rows, growth {growth} KiB",
            end,
            began.elapsed(),
        );
        self.tell(&seen, &told);
    }

    /// Looks at the process from inside and outside.
    async fn look(&self, gateway: &Process, client: &Client) -> (Metrics, Vitals) {
        let metrics = Metrics::of(client).await;
        let vitals = Vitals::of(gateway.id(), &metrics, &self.upstream);
        (metrics, vitals)
    }

    /// One line about how it is going.
    fn tell(&self, seen: &[Vitals], told: &Told) {
        let count = |number: &std::sync::atomic::AtomicU64| number.load(Ordering::Relaxed);
        println!(
            "{:>6.0?}  {}  served {} failed {} left {} refused {}",
            self.began.elapsed(),
            seen.last().unwrap(),
            count(&told.served),
            count(&told.failed),
            count(&told.left),
            count(&told.refused),
        );
    }

    /// Waits until everything that was taken is given back: leases, permits, threads, descriptors,
    /// tasks. Answers how many requests there were by the gateway's own count.
    async fn when_nothing_is_left(
        &self,
        gateway: &Process,
        client: &Client,
        at_first: Vitals,
    ) -> u64 {
        let began = Instant::now();
        loop {
            let (metrics, now) = self.look(gateway, client).await;
            let left = metrics.left_over();
            if left.is_empty() && now.is_back_at(&at_first) {
                return metrics.sum("requests_total");
            }
            let is_late = began.elapsed() > Duration::from_secs(15);
            assert!(!is_late, "left over: {left:?}; at first {at_first}; now {now}");
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    }

    /// Each answered request has exactly one final row, but for those answered in the last moment
    /// before a sudden death. Answers how many requests the life had.
    fn check_rows(&mut self, told: &Told, killed: Option<Instant>) -> u64 {
        let database = open(self.directory.path());
        let mut statement = database
            .prepare("SELECT id, lower(hex(request_id)), is_final FROM request_logs WHERE id > ?1")
            .unwrap();
        let mut finals = HashMap::<String, u32>::new();
        let mut rows = statement.query([self.rows]).unwrap();
        while let Some(row) = rows.next().unwrap() {
            self.rows = self.rows.max(row.get(0).unwrap());
            *finals.entry(row.get(1).unwrap()).or_default() += row.get::<_, u32>(2).unwrap();
        }
        let doubled = finals.iter().filter(|(_, finals)| **finals > 1).count();
        assert_eq!(doubled, 0, "requests with more than one final row");
        let answered = told.answered.lock();
        let missing: Vec<&Answered> =
            answered.iter().filter(|it| finals.get(&it.id) != Some(&1)).collect();
        let oldest = missing.iter().map(|it| killed.map(|killed| killed - it.at));
        let excused = oldest.clone().all(|age| age.is_some_and(|age| age < LAST_MOMENT));
        let first = missing.first().map(|it| (&it.id, it.status, &it.end));
        assert!(excused, "{} of {} rows missing: {first:?}", missing.len(), answered.len());
        if let Some(Some(oldest)) = oldest.max() {
            println!("lost with the kill: {} rows, the oldest {oldest:.0?} old", missing.len());
        }
        u64::try_from(finals.len()).unwrap()
    }

    /// The file is whole, and no larger than its rows.
    fn check_the_database(&self) {
        let database = open(self.directory.path());
        let verdict: String =
            database.query_row("PRAGMA integrity_check", [], |row| row.get(0)).unwrap();
        assert_eq!(verdict, "ok");
        let rows: i64 =
            database.query_row("SELECT count(*) FROM request_logs", [], |row| row.get(0)).unwrap();
        let path = self.directory.path().join("data/gemini-balance.db");
        let bytes = std::fs::metadata(path).unwrap().len();
        println!("{rows} rows in {bytes} bytes, integrity ok, after {:.0?}", self.began.elapsed());
    }
}

fn open(directory: &Path) -> Connection {
    let path = directory.join("data/gemini-balance.db");
    Connection::open_with_flags(path, OpenFlags::SQLITE_OPEN_READ_ONLY).unwrap()
}
