//! What an admin has asked for, carried out to its end.
//!
//! A command that has begun is never left half done: not when the one who gave it goes away, and
//! not when the process shuts down, which waits for it. Commands on service keys come one after
//! the other, since each changes the store first and the pool second.

use std::sync::Arc;

use tokio::sync::Mutex;
use tokio_util::task::TaskTracker;

/// Carries out commands.
#[derive(Debug)]
pub struct Commands {
    tasks: TaskTracker,
    turn: Arc<Mutex<()>>,
}

impl Commands {
    /// Commands that run among `tasks`, for which the shutdown waits.
    pub fn new(tasks: TaskTracker) -> Self {
        Self { tasks, turn: Arc::default() }
    }

    /// Runs a command; `None` if it panicked.
    ///
    /// # Cancellation
    ///
    /// Dropping the future does not stop the command.
    pub async fn run<T>(&self, command: impl Future<Output = T> + Send + 'static) -> Option<T>
    where
        T: Send + 'static,
    {
        self.tasks.spawn(command).await.ok()
    }

    /// Begins what takes longer than anybody waits for; the shutdown waits for its end.
    pub fn begin(&self, work: impl Future<Output = ()> + Send + 'static) {
        drop(self.tasks.spawn(work));
    }

    /// As [`Commands::run`], when all commands that were given like this before have ended.
    ///
    /// # Cancellation
    ///
    /// Dropping the future does not stop the command, nor does it give up its turn.
    pub async fn run_in_turn<T>(
        &self,
        command: impl Future<Output = T> + Send + 'static,
    ) -> Option<T>
    where
        T: Send + 'static,
    {
        let turn = Arc::clone(&self.turn);
        self.run(async move {
            let _turn = turn.lock().await;
            command.await
        })
        .await
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;

    #[tokio::test]
    async fn a_command_ends_also_when_nobody_waits_for_it() {
        let tasks = TaskTracker::new();
        let commands = Commands::new(tasks.clone());
        let done = Arc::new(AtomicUsize::new(0));
        let counted = Arc::clone(&done);
        let mut left = Box::pin(commands.run(async move {
            tokio::task::yield_now().await;
            counted.fetch_add(1, Ordering::SeqCst)
        }));
        let is_pending =
            std::future::poll_fn(|cx| std::task::Poll::Ready(left.as_mut().poll(cx).is_pending()));
        assert!(is_pending.await);

        drop(left);
        tasks.close();
        tasks.wait().await;

        assert_eq!(done.load(Ordering::SeqCst), 1);
    }

    #[tokio::test]
    async fn commands_in_turn_never_overlap() {
        let commands = Commands::new(TaskTracker::new());
        let running = Arc::new(AtomicUsize::new(0));
        let command = |running: Arc<AtomicUsize>| async move {
            let others = running.fetch_add(1, Ordering::SeqCst);
            tokio::task::yield_now().await;
            running.fetch_sub(1, Ordering::SeqCst);
            others
        };

        let (one, two) = tokio::join!(
            commands.run_in_turn(command(Arc::clone(&running))),
            commands.run_in_turn(command(Arc::clone(&running))),
        );

        assert_eq!((one, two), (Some(0), Some(0)));
    }
}
