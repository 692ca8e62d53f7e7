//! A way out for lines: a bounded buffer that anybody fills in a few instructions, and a thread
//! that empties it some forty times a second, in one write each time.

use std::io::Write;
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use parking_lot::{Condvar, Mutex, MutexGuard};

/// Text that waits for one outlet, in bytes; at a typical 300 bytes some 3,500 lines.
const WAITING_BYTES_MAX: usize = 1 << 20;
/// How long the first line waits for others.
const GATHER: Duration = Duration::from_millis(25);
/// Room that the buffer keeps when it is empty.
const KEPT_BYTES_MAX: usize = 64 * 1024;
/// How long the last lines may take at the end.
const FAREWELL: Duration = Duration::from_secs(1);

/// A handle to an outlet, cheap to clone.
#[derive(Debug, Clone)]
pub(super) struct Outlet(Arc<Shared>);

/// Keeps an outlet open; dropping it writes what still waits, for at most a second.
#[derive(Debug)]
pub(super) struct OutletGuard(Arc<Shared>);

#[derive(Debug, Default)]
struct Shared {
    state: Mutex<State>,
    /// Wakes the thread: the first line has come, or the end.
    wake: Condvar,
    /// Wakes whoever waits for the thread's end.
    ended: Condvar,
}

#[derive(Debug, Default)]
struct State {
    waiting: String,
    lines_dropped: u64,
    is_closing: bool,
    has_ended: bool,
}

impl Outlet {
    /// Opens an outlet whose thread has this name.
    ///
    /// # Errors
    ///
    /// When the system has no thread left.
    pub(super) fn open(
        writer: impl Write + Send + 'static,
        name: &str,
    ) -> std::io::Result<(Self, OutletGuard)> {
        let shared = Arc::<Shared>::default();
        let of_thread = Arc::clone(&shared);
        thread::Builder::new().name(name.to_owned()).spawn(move || write(&of_thread, writer))?;
        Ok((Self(Arc::clone(&shared)), OutletGuard(shared)))
    }

    /// Hands over whole lines. What does not fit any more is dropped and counted.
    pub(super) fn push(&self, lines: &str) {
        let mut state = self.0.state.lock();
        if WAITING_BYTES_MAX < state.waiting.len() + lines.len() || state.has_ended {
            state.lines_dropped += 1;
            return;
        }
        let is_first = state.waiting.is_empty();
        state.waiting.push_str(lines);
        drop(state);
        if is_first {
            self.0.wake.notify_one();
        }
    }

    /// Lines lost because the outlet was slower than the events.
    pub(super) fn lines_dropped(&self) -> u64 {
        self.0.state.lock().lines_dropped
    }
}

impl Drop for OutletGuard {
    fn drop(&mut self) {
        let deadline = Instant::now() + FAREWELL;
        let mut state = self.0.state.lock();
        state.is_closing = true;
        self.0.wake.notify_one();
        while !state.has_ended {
            if self.0.ended.wait_until(&mut state, deadline).timed_out() {
                return;
            }
        }
    }
}

/// Writes until the outlet is closed and empty.
fn write(shared: &Shared, mut writer: impl Write) {
    let mut text = String::new();
    let mut state = shared.state.lock();
    loop {
        gather(shared, &mut state);
        if state.waiting.is_empty() {
            break;
        }
        std::mem::swap(&mut text, &mut state.waiting);
        MutexGuard::unlocked(&mut state, || {
            // There is no better place to complain to about a log that cannot be written.
            let _ = writer.write_all(text.as_bytes()).and_then(|()| writer.flush());
            text.clear();
            text.shrink_to(KEPT_BYTES_MAX);
        });
    }
    state.has_ended = true;
    shared.ended.notify_all();
}

/// Waits for a line, and a little longer for others; at the end for nothing.
fn gather(shared: &Shared, state: &mut MutexGuard<'_, State>) {
    while state.waiting.is_empty() && !state.is_closing {
        shared.wake.wait(state);
    }
    let deadline = Instant::now() + GATHER;
    while !state.is_closing && !shared.wake.wait_until(state, deadline).timed_out() {}
}

#[cfg(test)]
mod tests {
    use std::io;
    use std::sync::mpsc;

    use super::*;

    /// Passes on what it is given, as often as the other end lets it.
    struct Pipe(mpsc::SyncSender<Vec<u8>>);

    impl Write for Pipe {
        fn write(&mut self, text: &[u8]) -> io::Result<usize> {
            self.0.send(text.to_vec()).map_err(io::Error::other)?;
            Ok(text.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn everything_is_written_in_order_before_the_end() {
        let (pipe, written) = mpsc::sync_channel(1_000);
        let (outlet, guard) = Outlet::open(Pipe(pipe), "test").unwrap();

        for line in ["one\n", "two\n"] {
            outlet.push(line);
        }
        drop(guard);
        outlet.push("too late\n");

        assert_eq!(written.try_iter().collect::<Vec<_>>().concat(), b"one\ntwo\n");
        assert_eq!(outlet.lines_dropped(), 1);
    }

    #[test]
    fn a_slow_reader_costs_lines_and_nobody_waits() {
        let (pipe, written) = mpsc::sync_channel(0);
        let (outlet, guard) = Outlet::open(Pipe(pipe), "test").unwrap();
        let line = format!("{}\n", "x".repeat(999));

        outlet.push(&line);
        written.recv().unwrap();
        for _ in 0..2_000 {
            outlet.push(&line);
        }
        let dropped = outlet.lines_dropped();
        let reader = thread::spawn(move || written.iter().map(|text| text.len()).sum::<usize>());
        drop(guard);

        // The buffer, and perhaps once more what the thread had taken out of it.
        let kept = 2_000 - usize::try_from(dropped).unwrap();
        assert!((1_048..=2 * 1_048).contains(&kept), "{kept}");
        assert_eq!(reader.join().unwrap(), kept * line.len());
    }
}
