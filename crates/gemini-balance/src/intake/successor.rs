//! What is done with a connection once HTTP has left it.

use std::fmt;
use std::pin::Pin;

use parking_lot::Mutex;

/// What a connection is used for behind its last request, to its end.
pub(crate) type Use = Pin<Box<dyn Future<Output = ()> + Send>>;

/// A place for it.
#[derive(Default)]
pub(super) struct Successor(Mutex<Option<Use>>);

impl Successor {
    pub(super) fn set(&self, next: Use) {
        *self.0.lock() = Some(next);
    }

    pub(super) fn take(&self) -> Option<Use> {
        self.0.lock().take()
    }
}

impl fmt::Debug for Successor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Successor").field(&self.0.lock().is_some()).finish()
    }
}
