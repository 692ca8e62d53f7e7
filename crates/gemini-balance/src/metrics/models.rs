//! Model names as labels. Callers choose them, so their number is bounded: the first names that
//! proved to be models are kept, all others are `other`.

use std::collections::BTreeSet;
use std::sync::Arc;

use parking_lot::RwLock;

const MODELS_MAX: usize = 200;
const NAME_BYTES_MAX: usize = 128;

/// A model's name, or `None` for all the others together.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct ModelLabel(Option<Arc<str>>);

impl ModelLabel {
    pub(super) fn text(&self) -> &str {
        self.0.as_deref().unwrap_or("other")
    }
}

#[derive(Debug, Default)]
pub(super) struct Models {
    names: RwLock<BTreeSet<Arc<str>>>,
}

impl Models {
    /// The label of a model that has answered; it gets one of its own while there is room.
    pub(super) fn admitted(&self, name: &str) -> ModelLabel {
        let known = self.known(name);
        if known.0.is_some() || name.is_empty() || name.len() > NAME_BYTES_MAX {
            return known;
        }
        let mut names = self.names.write();
        if names.len() >= MODELS_MAX {
            return known;
        }
        let name: Arc<str> = name.into();
        names.insert(Arc::clone(&name));
        ModelLabel(Some(name))
    }

    /// The label of a model that may not exist: its own only if it answered before.
    pub(super) fn known(&self, name: &str) -> ModelLabel {
        ModelLabel(self.names.read().get(name).cloned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_models_that_answered_have_a_label_of_their_own() {
        let models = Models::default();

        assert_eq!(models.known("gemini-3-pro").text(), "other");
        assert_eq!(models.admitted("gemini-3-pro").text(), "gemini-3-pro");
        assert_eq!(models.known("gemini-3-pro").text(), "gemini-3-pro");
        assert_eq!(models.admitted("").text(), "other");
        assert_eq!(models.admitted(&"x".repeat(129)).text(), "other");
    }

    #[test]
    fn the_number_of_labels_is_bounded() {
        let models = Models::default();
        for number in 0..MODELS_MAX {
            models.admitted(&format!("model-{number}"));
        }

        assert_eq!(models.admitted("one-more").text(), "other");
        assert_eq!(models.admitted("model-7").text(), "model-7");
    }
}
