//! How a scenario is tried: in many orders of its steps, each drawn from a seed, so that a failure
//! comes back. A thread that waits for ever is a failure too.

use std::env;
use std::future::{Future, poll_fn};
use std::pin::{Pin, pin};
use std::task::Poll;

use shuttle::current::{me, set_label_for_task};
use shuttle::future::{JoinHandle, block_on, spawn};
use shuttle::scheduler::{PctScheduler, RandomScheduler};
use shuttle::{Config, Runner};
use tokio::sync::oneshot;
use tokio::time;

/// Orders that each scheduler draws if `INTERLEAVINGS` names no other number.
const ORDERS: usize = 2_000;
/// Orders differ in how often a thread is put on hold where it likes it least: most faults need
/// two or three such moments.
const HOLDS: usize = 3;
/// `SHUTTLE_RANDOM_SEED` names another.
const SEED: u64 = 20_261_123;

/// A task that [`lose_patience`] does not leave alone.
#[derive(Clone, Debug)]
struct Impatient;

/// Tries the scenario in many orders.
pub fn check(scenario: fn()) {
    let orders =
        env::var("INTERLEAVINGS").map_or(ORDERS, |text| text.parse().expect("a number of orders"));
    let scenario = move || {
        time::clear_triggers();
        scenario();
    };
    let random = RandomScheduler::new_from_seed(SEED, orders);
    Runner::new(random, Config::default()).run(scenario);
    let holding = PctScheduler::new_from_seed(SEED, HOLDS, orders);
    Runner::new(holding, Config::default()).run(scenario);
}

/// Starts a task and returns when it waits, or has ended without a wait.
pub fn spawn_waiting<T: Send + 'static>(
    future: impl Future<Output = T> + Send + 'static,
) -> JoinHandle<T> {
    spawn_with(future, || {})
}

/// As [`spawn_waiting`], for one whose wait [`lose_patience`] ends.
pub fn spawn_impatient<T: Send + 'static>(
    future: impl Future<Output = T> + Send + 'static,
) -> JoinHandle<T> {
    spawn_with(future, || {
        set_label_for_task(me(), Impatient);
    })
}

/// Lets the time-outs of impatient tasks pass, those under way and those to come.
pub fn lose_patience() {
    time::trigger_timeouts(|labels| labels.get::<Impatient>().is_some());
}

fn spawn_with<T: Send + 'static>(
    future: impl Future<Output = T> + Send + 'static,
    prepare: impl FnOnce() + Send + 'static,
) -> JoinHandle<T> {
    let (waits, is_waiting) = oneshot::channel();
    let task = spawn(async move {
        prepare();
        let mut future = pin!(future);
        let first = poll_once(future.as_mut()).await;
        waits.send(()).expect("the scenario listens");
        match first {
            Poll::Ready(value) => value,
            Poll::Pending => future.await,
        }
    });
    block_on(is_waiting).expect("the task says that it waits");
    task
}

async fn poll_once<F: Future>(mut future: Pin<&mut F>) -> Poll<F::Output> {
    poll_fn(|cx| Poll::Ready(future.as_mut().poll(cx))).await
}
