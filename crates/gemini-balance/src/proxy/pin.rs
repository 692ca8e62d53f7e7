//! Which keys a request is bound to, by the resources that its path and its body name.
//!
//! A resource is seen by the project that made it and by no other, so a request that names one is
//! served by a key of that project or not at all. A name that is not known here, because it was
//! made elsewhere or before, binds to nothing.

use dialect::resource::{Use, each_named};
use keypool::Kin;

use crate::app::App;
use crate::proxy::error::ProxyError;
use crate::resources::Found;

/// What a request is bound to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Pinned {
    /// The keys that may serve it.
    pub(super) kin: Kin,
    /// The first resource that says so.
    pub(super) name: String,
}

/// Finds out what a request of this user key is bound to.
///
/// # Errors
///
/// It names what is another's, or things that no one project sees.
pub(super) fn find(
    app: &App,
    user: i64,
    touched: &Use,
    body: &[u8],
) -> Result<Option<Pinned>, ProxyError> {
    let mut binding = Binding { app, user, pinned: None, error: None };
    if let Use::Names { name, .. } = touched {
        binding.consider(name);
    }
    each_named(body, |name| binding.consider(name));
    match binding.error {
        Some(error) => Err(error),
        None => Ok(binding.pinned),
    }
}

struct Binding<'a> {
    app: &'a App,
    user: i64,
    pinned: Option<Pinned>,
    error: Option<ProxyError>,
}

impl Binding<'_> {
    fn consider(&mut self, name: &str) {
        if self.error.is_some() || self.pinned.as_ref().is_some_and(|it| it.name == name) {
            return;
        }
        let kin = match self.app.resources.find(name, self.user) {
            Found::Unknown => return,
            Found::Foreign => {
                self.error = Some(ProxyError::NoSuchResource { name: name.to_owned() });
                return;
            }
            Found::Kept(kin) => kin,
        };
        let name = name.to_owned();
        match &self.pinned {
            None => self.pinned = Some(Pinned { kin, name }),
            Some(pinned) if self.app.pool.are_kindred(&pinned.kin, &kin) => {}
            Some(pinned) => {
                let first = pinned.name.clone();
                self.error = Some(ProxyError::ResourcesApart { first, second: name });
            }
        }
    }
}
