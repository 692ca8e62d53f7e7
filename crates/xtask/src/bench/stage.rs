//! The stage of a bench: upstream, nginx and gateway side by side on this machine.
//!
//! What is measured has the first core to itself; load and upstream share the second.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
    thread,
    time::Duration,
};

use super::{nginx, process::Processes};
use crate::{Outcome, admin, companion::Companion, http, step::Step, workspace};

/// Where the gateway listens.
pub(crate) const HOST: &str = "127.0.0.1";
const SERVICE_KEYS: usize = 50;
const PASSWORD: &str = "bench-by-night";
/// Each program may have as many open files as the system lets it: 4,096 callers are 8,192
/// connections. It is bound to the core that comes first.
const SCRIPT: &str = r#"ulimit -S -n "$(ulimit -H -n)"; exec taskset -c "$0" "$@""#;

/// Who is asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Server {
    /// The upstream itself: what load and upstream cost without anything between them.
    Direct,
    /// nginx before it.
    Nginx,
    /// The gateway before it.
    Gateway,
}

impl Server {
    /// In the order in which they are asked, and stand in the tables.
    pub(crate) const ALL: [Self; 3] = [Self::Direct, Self::Nginx, Self::Gateway];

    /// Returns the name in the tables.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Direct => "direct",
            Self::Nginx => "nginx",
            Self::Gateway => "gateway",
        }
    }
}

/// Which core a program runs on.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Core {
    /// The core of what is measured.
    Measured,
    /// The core of load and upstream.
    Load,
    /// Both, which load and upstream then share with what is measured.
    Both,
}

/// The three servers, running. They end in the order of the fields.
pub(crate) struct Stage {
    gateway: Gateway,
    nginx: Place,
    upstream: Place,
}

struct Place {
    companion: Companion,
    port: u16,
}

impl Stage {
    /// Starts everything, with its files in `folder`, which is emptied first.
    ///
    /// # Errors
    ///
    /// If a program does not start or answer.
    pub(crate) fn build(folder: &Path) -> Outcome<Self> {
        empty(folder)?;
        let upstream = start_upstream(folder)?;
        let nginx = start_nginx(folder, upstream.port, &service_key(0))?;
        let mut command = pinned(Core::Measured, &program()?);
        command.env("WORKERS", "1");
        let gateway = Gateway::start(command, folder, upstream.port, SERVICE_KEYS)?;
        Ok(Self { gateway, nginx, upstream })
    }

    /// Returns the port on which the server listens.
    pub(crate) fn port(&self, server: Server) -> u16 {
        self.place(server).port
    }

    /// Returns the key that every caller shows.
    pub(crate) fn user_key(&self) -> &str {
        self.gateway.user_key()
    }

    /// Returns the processes of the server.
    ///
    /// # Errors
    ///
    /// If it has ended.
    pub(crate) fn processes(&self, server: Server) -> Outcome<Processes> {
        Processes::find(self.place(server).companion.id())
    }

    fn place(&self, server: Server) -> &Place {
        match server {
            Server::Direct => &self.upstream,
            Server::Nginx => &self.nginx,
            Server::Gateway => &self.gateway.place,
        }
    }
}

/// A gateway with service keys and a user key.
pub(crate) struct Gateway {
    place: Place,
    user_key: String,
    keys_took: Duration,
}

impl Gateway {
    /// Starts the gateway as `command` says, with its files in `folder`, and brings the keys in.
    ///
    /// # Errors
    ///
    /// If it does not start or answer, or refuses the keys.
    pub(crate) fn start(
        command: Command,
        folder: &Path,
        upstream_port: u16,
        service_keys: usize,
    ) -> Outcome<Self> {
        let port = http::free_port(0)?;
        let mut companion = launch_gateway(command, folder, upstream_port, port)?;
        companion.wait_until_ready(port, "/health")?;
        let (user_key, keys_took) =
            admin::furnish(port, PASSWORD, &service_keys_named(service_keys))?;
        Ok(Self { place: Place { companion, port }, user_key, keys_took })
    }

    /// Returns the port on which it listens.
    pub(crate) fn port(&self) -> u16 {
        self.place.port
    }

    /// Returns the key that every caller shows.
    pub(crate) fn user_key(&self) -> &str {
        &self.user_key
    }

    /// Returns how long it took to add the service keys.
    pub(crate) fn keys_took(&self) -> Duration {
        self.keys_took
    }

    /// Returns the number of its process.
    pub(crate) fn id(&self) -> u32 {
        self.place.companion.id()
    }

    /// Returns its process as the kernel accounts for it.
    ///
    /// # Errors
    ///
    /// If it has ended.
    pub(crate) fn processes(&self) -> Outcome<Processes> {
        Processes::find(self.id())
    }
}

/// Upstream and gateway alone, the latter inside another program. They end in the order of the fields.
pub(crate) struct Pair {
    /// The gateway, with its keys.
    pub(crate) gateway: Gateway,
    _upstream: Place,
}

impl Pair {
    /// Starts both, with their files in `folder`, which is emptied first; `tool` is a program that runs
    /// the one that follows its arguments.
    ///
    /// # Errors
    ///
    /// If a program does not start or answer.
    pub(crate) fn build(folder: &Path, mut tool: Command) -> Outcome<Self> {
        empty(folder)?;
        let upstream = start_upstream(folder)?;
        tool.arg(program()?).env("WORKERS", "1");
        let gateway = Gateway::start(tool, folder, upstream.port, SERVICE_KEYS)?;
        Ok(Self { gateway, _upstream: upstream })
    }
}

/// Finds out whether this machine can run a bench.
///
/// # Errors
///
/// If it lacks a core or a program; the error says how to get it.
pub(crate) fn check_tools() -> Outcome {
    if nginx::program().is_none() {
        return Err("bench needs nginx; on Debian `apt install nginx-light` brings it".into());
    }
    if !Step::new("taskset").words("--version").succeeds() {
        return Err("bench needs taskset; on Debian `apt install util-linux` brings it".into());
    }
    if thread::available_parallelism()?.get() < 2 {
        return Err("bench needs two cores, one of them for what is measured".into());
    }
    Ok(())
}

/// Prepares a run of `program` on a core, without arguments of its own.
pub(crate) fn pinned(core: Core, program: &Path) -> Command {
    let core = match core {
        Core::Measured => "0",
        Core::Load if thread::available_parallelism().is_ok_and(|cores| cores.get() < 2) => "0",
        Core::Load => "1",
        Core::Both => "0,1",
    };
    let mut command = Command::new("sh");
    command.args(["-c", SCRIPT, core]).arg(program);
    command
}

fn empty(folder: &Path) -> Outcome {
    if folder.exists() {
        fs::remove_dir_all(folder)?;
    }
    Ok(fs::create_dir_all(folder)?)
}

fn service_keys_named(count: usize) -> Vec<String> {
    (0..count).map(service_key).collect()
}

fn service_key(index: usize) -> String {
    format!("AIza-bench-{index:04}")
}

fn program() -> Outcome<PathBuf> {
    workspace::program("release", "gemini-balance")
}

fn start_upstream(folder: &Path) -> Outcome<Place> {
    let port = http::free_port(0)?;
    let mut command = pinned(Core::Load, &workspace::program("release", "load")?);
    command.args(["upstream", "--listen", &format!("127.0.0.1:{port}")]);
    start(&command, folder, "upstream", port)
}

fn start_nginx(folder: &Path, upstream_port: u16, service_key: &str) -> Outcome<Place> {
    let port = http::free_port(0)?;
    let configuration = nginx::configure(folder, port, upstream_port, service_key)?;
    let program = nginx::program().ok_or("nginx is gone")?;
    let mut command = pinned(Core::Measured, &program);
    command.arg("-p").arg(folder).arg("-c").arg(configuration);
    start(&command, folder, "nginx", port)
}

/// Starts the gateway as it comes, with log lines, log rows and metrics, and does not wait for it.
///
/// # Errors
///
/// If it cannot be started.
pub(crate) fn launch_gateway(
    mut command: Command,
    folder: &Path,
    upstream_port: u16,
    port: u16,
) -> Outcome<Companion> {
    let upstream_url = format!("http://127.0.0.1:{upstream_port}");
    command.current_dir(folder).envs([
        ("HOST", HOST),
        ("PORT", &port.to_string()),
        ("PASSWORD", PASSWORD),
        ("DATA_DIR", &folder.join("data").to_string_lossy()),
        ("GEMINI_API_BASE_URL", &upstream_url),
        ("OPENAI_API_BASE_URL", &upstream_url),
        ("UPSTREAM_ALLOW_PRIVATE", "true"),
        ("METRICS_LISTEN", "127.0.0.1:0"),
    ]);
    Companion::start(&command, &folder.join("gateway.log"))
}

fn start(command: &Command, folder: &Path, name: &str, port: u16) -> Outcome<Place> {
    let mut companion = Companion::start(command, &folder.join(name).with_extension("log"))?;
    companion.wait_until_ready(port, "/health")?;
    Ok(Place { companion, port })
}
