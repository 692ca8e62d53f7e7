//! The way in: our own accept loop on hyper's connections, HTTP/1.1 and, over TLS, HTTP/2.
//!
//! Every worker has its own listener on the same port and its own loop. A connection has a
//! deadline for its header, a cap on its header block, a limit for a caller that does not read,
//! some patience with one that still sends when it is refused, and an end when the shutdown
//! begins. While the last requests end, newcomers are still let in: a load balancer must hear that
//! the gateway is leaving, and a caller is told to come again. Running out of descriptors pauses
//! accepting instead of spinning or dying.

mod handshake;
mod http1;
mod http2;

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use http::{Request, Response};
use socket2::{Domain, Protocol, Socket, Type};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::Instant;
use tokio_util::task::TaskTracker;
use tokio_util::task::task_tracker::TaskTrackerToken;

use crate::app::Worker;
use crate::intake::RequestBody;
use crate::origin::Origin;
use crate::proxy::ProxyBody;
use crate::router;
use crate::tls::HTTP_2;

/// Largest block of request line and header fields.
const HEADER_BYTES_MAX: u32 = 64 * 1024;
/// Connections that may wait to be accepted.
const BACKLOG: i32 = 1_024;
/// How long accepting pauses when the process or the system has no descriptor left.
const EXHAUSTED_PAUSE: Duration = Duration::from_millis(100);
/// A lasting lack of descriptors is logged once in this time.
const EXHAUSTED_REPORT: Duration = Duration::from_secs(10);
/// How long a connection that is open when its door closes may still begin a request.
const LAST_REQUEST: Duration = Duration::from_millis(200);

/// Binds one listener per worker to the same address; port 0 takes a free one.
///
/// The first one listens alone before it lets others in, so that of two gateways that start on a
/// port at the same moment one is refused, instead of each silently taking half of the callers.
///
/// # Errors
///
/// Whatever the system says, above all "address in use".
pub fn bind(address: SocketAddr, workers: usize) -> std::io::Result<Vec<std::net::TcpListener>> {
    let first = socket(address)?;
    first.bind(&address.into())?;
    first.listen(BACKLOG)?;
    first.set_reuse_port(true)?;
    let address = first.local_addr()?.as_socket().unwrap_or(address);
    let others = (1..workers.max(1)).map(|_| {
        let other = socket(address)?;
        other.set_reuse_port(true)?;
        other.bind(&address.into())?;
        other.listen(BACKLOG)?;
        Ok(other.into())
    });
    std::iter::once(Ok(first.into())).chain(others).collect()
}

fn socket(address: SocketAddr) -> std::io::Result<Socket> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
    socket.set_reuse_address(true)?;
    socket.set_nonblocking(true)?;
    Ok(socket)
}

/// Who among the workers still has requests under way.
#[derive(Debug)]
pub struct Shift {
    /// Shared by all; empty when the last request of the last worker has ended.
    pub busy: TaskTracker,
    /// This worker among them, also if it ends by a fault.
    pub own: TaskTrackerToken,
}

impl Shift {
    /// A place in one shift for each of `count` workers.
    pub fn of(count: usize) -> Vec<Self> {
        let busy = TaskTracker::new();
        let shifts = (0..count).map(|_| Self { busy: busy.clone(), own: busy.token() }).collect();
        busy.close();
        shifts
    }
}

/// Serves connections until the shutdown begins, then until the requests under way on this worker
/// and on the others have ended.
///
/// # Errors
///
/// The listener could not be handed to the runtime.
pub async fn serve(
    worker: Arc<Worker>,
    listener: std::net::TcpListener,
    shift: Shift,
) -> std::io::Result<()> {
    let listener = TcpListener::from_std(listener)?;
    let (callers, newcomers) = (TaskTracker::new(), TaskTracker::new());
    tokio::select! {
        biased;
        () = worker.app.lifecycle.draining().cancelled() => {}
        () = accept(&worker, &listener, &callers, Door::Open) => {}
    }
    callers.close();
    // Listeners that share a port close together: one that closed alone would take those who
    // stand in its queue with it.
    let last = async {
        callers.wait().await;
        drop(shift.own);
        shift.busy.wait().await;
    };
    tokio::select! {
        biased;
        () = accept(&worker, &listener, &newcomers, Door::Closing) => {}
        () = last => {}
    }
    drop(listener);
    newcomers.close();
    // Whoever has not asked by then will not be told.
    drop(tokio::time::timeout(LAST_REQUEST, newcomers.wait()).await);
    Ok(())
}

/// What a connection is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Door {
    /// Any number of requests.
    Open,
    /// One request, which is told that the gateway is leaving.
    Closing,
}

/// Accepts connections for as long as it is polled.
async fn accept(worker: &Arc<Worker>, listener: &TcpListener, tasks: &TaskTracker, door: Door) {
    let mut said_at: Option<Instant> = None;
    loop {
        match listener.accept().await {
            Ok((stream, peer)) => {
                let limit = worker.app.config.limits.connections_max;
                // Beyond the limit the connection is closed at once: cheaper than any answer.
                if let Some(open) = worker.app.connections.try_open(limit) {
                    let worker = Arc::clone(worker);
                    tasks.spawn(async move {
                        connection(worker, stream, peer, door).await;
                        drop(open);
                    });
                }
            }
            Err(error) if is_of_one_connection(&error) => {}
            Err(error) => {
                if said_at.is_none_or(|at| EXHAUSTED_REPORT <= at.elapsed()) {
                    tracing::warn!(%error, "cannot accept connections; pausing");
                    said_at = Some(Instant::now());
                }
                tokio::time::sleep(EXHAUSTED_PAUSE).await;
            }
        }
    }
}

/// Whether an error of `accept` concerns only the connection that was about to come in.
fn is_of_one_connection(error: &std::io::Error) -> bool {
    use std::io::ErrorKind;
    matches!(
        error.kind(),
        ErrorKind::ConnectionRefused | ErrorKind::ConnectionAborted | ErrorKind::ConnectionReset
    )
}

/// Serves a connection to its end, in whatever it speaks.
async fn connection(worker: Arc<Worker>, stream: TcpStream, address: SocketAddr, door: Door) {
    // Small chunks of a stream leave at once.
    if stream.set_nodelay(true).is_err() {
        return;
    }
    let Some(tls) = &worker.app.tls else {
        let origin = Origin { address, is_tls: false };
        return http1::speak(worker, stream, origin, door).await;
    };
    let origin = Origin { address, is_tls: true };
    let draining = worker.app.lifecycle.draining().clone();
    let limit = Duration::from_millis(worker.app.config.limits.header_timeout_ms);
    let leaving = async {
        match door {
            Door::Open => draining.cancelled().await,
            Door::Closing => std::future::pending().await,
        }
        tokio::time::sleep(LAST_REQUEST).await;
    };
    let shaken = tokio::select! {
        shaken = handshake::shake(tls, stream, limit) => shaken,
        () = leaving => None,
    };
    let Some(stream) = shaken else { return };
    if stream.get_ref().1.alpn_protocol() == Some(HTTP_2) {
        http2::speak(worker, stream, origin, door).await;
    } else {
        http1::speak(worker, stream, origin, door).await;
    }
}

/// Answers one request.
async fn answer(
    worker: Arc<Worker>,
    request: Request<RequestBody>,
    origin: Origin,
    door: Door,
) -> Response<ProxyBody> {
    match door {
        Door::Open => router::route(worker, origin, request).await,
        Door::Closing => router::turn_away(&worker.app, request),
    }
}

#[cfg(test)]
mod tests {
    use std::net::TcpStream as Caller;
    use std::thread;

    use super::*;

    const ANY: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(std::net::Ipv4Addr::LOCALHOST), 0);

    #[test]
    fn every_worker_hears_some_of_the_callers() {
        let listeners = bind(ANY, 3).unwrap();
        let address = listeners[0].local_addr().unwrap();

        let callers: Vec<_> = (0..200).map(|_| Caller::connect(address).unwrap()).collect();
        let heard = listeners.iter().map(|it| std::iter::from_fn(|| it.accept().ok()).count());

        let heard: Vec<usize> = heard.collect();
        assert!(heard.iter().all(|count| *count > 0), "{heard:?}");
        assert_eq!(heard.iter().sum::<usize>(), callers.len());
    }

    #[test]
    fn of_gateways_that_start_on_a_port_at_the_same_moment_one_gets_it() {
        for _ in 0..200 {
            let address = bind(ANY, 1).unwrap()[0].local_addr().unwrap();
            let together = std::sync::Barrier::new(4);
            let outcomes = thread::scope(|scope| {
                let starting = [(); 4].map(|()| {
                    scope.spawn(|| {
                        together.wait();
                        bind(address, 2)
                    })
                });
                starting.map(|started| started.join().unwrap())
            });
            assert_eq!(outcomes.iter().filter(|outcome| outcome.is_ok()).count(), 1);
        }
    }
}
