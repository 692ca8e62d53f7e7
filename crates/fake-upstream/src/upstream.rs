//! The upstream itself: listens, owns its connections, and tells what it has seen.

use std::{
    error::Error,
    fmt, io,
    net::{Ipv4Addr, SocketAddr},
    sync::Arc,
    time::Duration,
};

use tokio::{
    net::TcpListener,
    sync::watch,
    task::JoinSet,
    time::{sleep, timeout},
};

use crate::{
    answer::Answer,
    connection,
    kept::Kept,
    live::{Heard, Sessions},
    options::Options,
    record::{Records, Seen},
    script::{Rule, Rules, When},
};

/// How long a test waits for a fact before it is told that the fact did not come.
const WAIT_MAX: Duration = Duration::from_secs(10);
/// The pause after a connection could not be accepted, as when descriptors run out.
const ACCEPT_PAUSE: Duration = Duration::from_millis(20);

/// A running upstream. Dropping it ends everything at once.
pub struct Upstream {
    address: SocketAddr,
    shared: Arc<Shared>,
    stop: watch::Sender<bool>,
    listening: JoinSet<()>,
}

/// How an upstream behaves where no rule says otherwise.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The dials of the ordinary answer.
    pub options: Options,
    /// Refuses unknown top-level fields, as Google does.
    pub is_strict: bool,
    /// How many requests are remembered, the latest; with 0 nothing is recorded.
    pub seen_max: usize,
}

impl Default for Settings {
    fn default() -> Self {
        Self { options: Options::default(), is_strict: false, seen_max: 100_000 }
    }
}

/// What the connections share.
pub(crate) struct Shared {
    pub(crate) settings: Settings,
    pub(crate) rules: Rules,
    pub(crate) records: Records,
    pub(crate) kept: Kept,
    pub(crate) live: Sessions,
}

impl Upstream {
    /// Starts on a free port of 127.0.0.1.
    ///
    /// # Errors
    ///
    /// No port can be had.
    pub async fn start() -> io::Result<Self> {
        Self::start_on(SocketAddr::from((Ipv4Addr::LOCALHOST, 0))).await
    }

    /// Starts on this address.
    ///
    /// # Errors
    ///
    /// The address cannot be had.
    pub async fn start_on(address: SocketAddr) -> io::Result<Self> {
        Self::start_with(address, Settings::default()).await
    }

    /// Starts on this address with these settings.
    ///
    /// # Errors
    ///
    /// The address cannot be had.
    pub async fn start_with(address: SocketAddr, settings: Settings) -> io::Result<Self> {
        let listener = TcpListener::bind(address).await?;
        let address = listener.local_addr()?;
        let records = Records::new(settings.seen_max);
        let (kept, live) = (Kept::default(), Sessions::default());
        let shared = Arc::new(Shared { settings, rules: Rules::default(), records, kept, live });
        let (stop, stopped) = watch::channel(false);
        let mut listening = JoinSet::new();
        listening.spawn(listen(listener, Arc::clone(&shared), stopped));
        Ok(Self { address, shared, stop, listening })
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Where it listens, as `http://127.0.0.1:port`.
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Adds a rule. The latest rule that matches a request and is not used up answers it;
    /// without one the answer is believable.
    pub fn on(&self, when: When, answer: impl Into<Answer>) {
        self.shared.rules.add(Rule { when, answer: answer.into() });
    }

    /// From here on resources are kept, each for the project of the key that made it.
    pub fn keep_resources(&self) {
        self.shared.kept.begin();
    }

    /// Who named what another project keeps; a sentence for each time.
    pub fn strays(&self) -> Vec<String> {
        self.shared.kept.strays()
    }

    /// The names of all resources that are kept, each with its project.
    pub fn kept(&self) -> Vec<(String, String)> {
        self.shared.kept.all()
    }

    /// What was said in the Live sessions, oldest first.
    pub fn heard(&self) -> Vec<Heard> {
        self.shared.live.heard()
    }

    /// Forgets all rules.
    pub fn clear(&self) {
        self.shared.rules.clear();
    }

    /// The requests seen, oldest first.
    pub fn seen(&self) -> Vec<Seen> {
        self.shared.records.seen()
    }

    /// Forgets the requests seen.
    pub fn clear_seen(&self) {
        self.shared.records.clear();
    }

    /// How many connections are open.
    pub fn open_connections(&self) -> usize {
        self.shared.records.connections_open()
    }

    /// How many requests were read and are not answered to their end.
    pub fn open_requests(&self) -> usize {
        self.shared.records.requests_open()
    }

    /// Waits until the requests seen fulfil a condition, at most 10 s.
    ///
    /// # Errors
    ///
    /// They did not; says what was seen.
    pub async fn wait_until(&self, holds: impl Fn(&[Seen]) -> bool) -> Result<(), WaitedTooLong> {
        self.wait(|| self.shared.records.look(&holds)).await
    }

    /// Waits until the number of open connections fulfils a condition, at most 10 s.
    ///
    /// # Errors
    ///
    /// It did not; says what was seen.
    pub async fn wait_for_connections(
        &self,
        holds: impl Fn(usize) -> bool,
    ) -> Result<(), WaitedTooLong> {
        self.wait(|| holds(self.open_connections())).await
    }

    /// Waits until the number of open requests fulfils a condition, at most 10 s.
    ///
    /// # Errors
    ///
    /// It did not; says what was seen.
    pub async fn wait_for_requests(
        &self,
        holds: impl Fn(usize) -> bool,
    ) -> Result<(), WaitedTooLong> {
        self.wait(|| holds(self.open_requests())).await
    }

    /// Closes everything and waits until it is closed.
    pub async fn stop(mut self) {
        // The listener listens for this as long as it lives.
        self.stop.send_replace(true);
        while self.listening.join_next().await.is_some() {}
    }

    async fn wait(&self, holds: impl Fn() -> bool) -> Result<(), WaitedTooLong> {
        let waited = timeout(WAIT_MAX, self.shared.records.wait_until(holds)).await;
        waited.map_err(|_| WaitedTooLong {
            seen: self.shared.records.look(<[Seen]>::len),
            open_connections: self.open_connections(),
            open_requests: self.open_requests(),
        })
    }
}

/// A condition did not come true in time.
#[derive(Debug)]
pub struct WaitedTooLong {
    /// How many requests were seen.
    pub seen: usize,
    /// How many connections were open at the end.
    pub open_connections: usize,
    /// How many requests were open at the end.
    pub open_requests: usize,
}

impl fmt::Display for WaitedTooLong {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { seen, open_connections, open_requests } = self;
        write!(
            formatter,
            "waited {WAIT_MAX:?} in vain; {seen} requests seen, {open_requests} of them open on \
             {open_connections} connections"
        )
    }
}

impl Error for WaitedTooLong {}

async fn listen(listener: TcpListener, shared: Arc<Shared>, mut stopped: watch::Receiver<bool>) {
    let mut connections = JoinSet::new();
    let mut number = 0;
    loop {
        tokio::select! {
            // The sender gone means the same as its word.
            _ = stopped.changed() => break,
            Some(_) = connections.join_next(), if !connections.is_empty() => {}
            accepted = listener.accept() => match accepted {
                Ok((stream, _)) => {
                    // Without it pacing would depend on acknowledgements; refused only if the
                    // client is gone.
                    let _ = stream.set_nodelay(true);
                    connections.spawn(connection::serve(stream, number, Arc::clone(&shared)));
                    number += 1;
                }
                Err(_) => sleep(ACCEPT_PAUSE).await,
            },
        }
    }
    connections.shutdown().await;
}
