//! The handles that all requests share, and what each worker adds to them.
//!
//! Everything in here is cheap to reach from any thread: atomics, short locks, snapshots.
//! Nothing in here waits for the disk.

use std::sync::Arc;

use axum::Router;
use tokio::runtime::Handle;

use crate::admission::{Admission, BodyBudget};
use crate::alerts::Alerts;
use crate::backups::Backups;
use crate::clock::Clock;
use crate::commands::Commands;
use crate::config::live::LiveConfig;
use crate::connections::Connections;
use crate::events::Events;
use crate::import::Imports;
use crate::jobs::Jobs;
use crate::journal::Journal;
use crate::lifecycle::Lifecycle;
use crate::live::Live;
use crate::live_sessions::LiveSessions;
use crate::login_throttle::LoginThrottle;
use crate::metrics::Metrics;
use crate::otlp::Otlp;
use crate::password::PasswordGate;
use crate::pool::{KeyPool, Prober};
use crate::random::RequestIds;
use crate::resources::Resources;
use crate::sessions::Sessions;
use crate::store::Store;
use crate::tls::Tls;
use crate::upstream::Upstream;
use crate::user_keys::UserKeys;
use crate::vault::Vault;
use crate::web::Web;

/// The handles shared by all requests.
#[derive(Debug)]
pub struct App {
    /// The checked settings, some of which change while it runs.
    pub config: LiveConfig,
    /// The one source of time.
    pub clock: Clock,
    /// Whether the process is on its way out.
    pub lifecycle: Lifecycle,
    /// Who may call.
    pub user_keys: UserKeys,
    /// The service keys.
    pub pool: Arc<KeyPool>,
    /// What the upstream keeps for one project.
    pub resources: Arc<Resources>,
    /// Asks the upstream about one key.
    pub prober: Arc<Prober>,
    /// Places among the concurrent requests.
    pub admission: Admission,
    /// The Live sessions that are open.
    pub live_sessions: Arc<LiveSessions>,
    /// The memory that all request bodies share.
    pub body_budget: Arc<BodyBudget>,
    /// Names for requests.
    pub request_ids: RequestIds,
    /// Open connections of callers.
    pub connections: Arc<Connections>,
    /// The request log.
    pub journal: Journal,
    /// The database, for the control plane.
    pub store: Store,
    /// Who is logged in as the admin.
    pub sessions: Sessions,
    /// How often a password may be tried.
    pub login_throttle: LoginThrottle,
    /// How many passwords are checked at once.
    pub password_gate: PasswordGate,
    /// What the admin has asked for and must come to its end.
    pub commands: Commands,
    /// What takes longer than anybody waits for.
    pub jobs: Jobs,
    /// What was sent to be taken over from elsewhere.
    pub imports: Imports,
    /// What seals and hashes secrets.
    pub vault: Arc<Vault>,
    /// Where exchanges are told as traces, if anywhere.
    pub otlp: Option<Otlp>,
    /// Who is told when somebody must act.
    pub alerts: Arc<Alerts>,
    /// How the backups went.
    pub backups: Arc<Backups>,
    /// Counters for `/metrics`.
    pub metrics: Metrics,
    /// The live log.
    pub live: Live,
    /// What happens, for pages that are open.
    pub events: Events,
    /// The web UI.
    pub web: Web,
    /// What TLS is spoken with, if it is.
    pub tls: Option<Arc<Tls>>,
}

/// One thread of the data plane.
#[derive(Debug)]
pub struct Worker {
    /// What it shares with the others.
    pub app: Arc<App>,
    /// Its own way out, with its own connections.
    pub upstream: Upstream,
    /// The admin's calls.
    pub control: Router,
    /// Where those run, so that they never delay a token.
    pub control_runtime: Handle,
}
