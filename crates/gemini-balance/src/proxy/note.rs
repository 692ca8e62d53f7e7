//! What an answer teaches about resources: that one was made, when it ends, that it is gone.

use dialect::resource::{Made, RESULTS_BYTES_MAX, Use, has_results, results};
use keypool::Kin;

use crate::app::App;
use crate::resources::{Found, Told};

/// Reads an answer for what it says of a resource. It is noted before the caller can hear of it, so
/// that the next call finds it.
#[derive(Debug)]
pub(super) struct Note {
    touched: Use,
    kin: Kin,
    user: i64,
    /// What has been noted already.
    noted: Made,
    /// What has come of an answer that may name the files with the results of an operation.
    held: Option<Vec<u8>>,
}

impl Note {
    /// Of the answer to a call of this kind, by a key of this kin; `None` if there is nothing to note.
    pub(super) fn of(touched: &Use, kin: Option<Kin>, user: i64) -> Option<Self> {
        let is_telling = matches!(touched, Use::Makes { .. } | Use::Names { .. });
        let touched = Some(touched).filter(|_| is_telling)?.clone();
        let may_tell = matches!(&touched, Use::Names { name, .. } if has_results(name));
        let held = may_tell.then(Vec::new);
        Some(Self { touched, kin: kin?, user, noted: Made::default(), held })
    }

    /// The answer is a good one: what it deletes is gone.
    pub(super) fn accepted(&self, app: &App) {
        if let Use::Names { name, is_deleted: true } = &self.touched {
            app.resources.forget(name);
        }
    }

    /// Reads a piece of the answer for what an operation has left behind, which nobody has uploaded and
    /// yet belongs to whoever began it.
    pub(super) fn read(&mut self, app: &App, piece: &[u8]) {
        let Some(held) = &mut self.held else { return };
        if RESULTS_BYTES_MAX < held.len() + piece.len() {
            self.held = None;
            return;
        }
        held.extend_from_slice(piece);
        if held.trim_ascii_end().last() != Some(&b'}') {
            return;
        }
        for name in results(held) {
            if app.resources.find(&name, self.user) == Found::Unknown {
                let Self { kin, user, .. } = &*self;
                app.resources.made(Told { name: &name, kin, user: *user, expires: None });
            }
        }
    }

    /// Looks at what has been seen of the answer so far.
    pub(super) fn look(&mut self, app: &App, made: &Made) {
        if *made == self.noted {
            return;
        }
        self.noted = made.clone();
        let Some(root) = self.touched.answered(made) else { return };
        match &self.touched {
            Use::Names { is_deleted: true, .. } => {}
            // What is asked for by its name was there before; its end may have been moved.
            Use::Names { name, .. } if *name == root => {
                if let Some(expires) = &made.expires {
                    app.resources.prolong(&root, expires);
                }
            }
            Use::Names { .. } | Use::Makes { .. } => app.resources.made(Told {
                name: &root,
                kin: &self.kin,
                user: self.user,
                expires: made.expires.as_deref(),
            }),
            Use::None | Use::Lists { .. } => {}
        }
    }
}
