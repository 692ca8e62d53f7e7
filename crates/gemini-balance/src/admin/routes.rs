//! The one list of routes: what is registered is recorded, and what is recorded is enforced.
//!
//! A route is for admins unless it says otherwise, so one that nobody thought about is shut.

use std::sync::Arc;

use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::handler::Handler;
use axum::middleware::from_extractor_with_state;
use axum::routing::{MethodFilter, on};
use http::Method;

use crate::admin::access::Admin;
use crate::app::App;

/// Largest body of a call that does not say otherwise.
const BODY_BYTES_MAX: usize = 1024 * 1024;

/// Who may call a route.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Access {
    /// Everybody.
    Public,
    /// Who shows the token of a living session.
    Admin,
}

/// One entry of the list.
#[derive(Debug, Clone, Copy)]
pub struct Route {
    /// The path; parameters stand in braces.
    pub path: &'static str,
    /// Who may call it.
    pub access: Access,
    /// The path that means the same, if this one is only another name for it.
    pub alias_of: Option<&'static str>,
    verb: Verb,
    body_bytes_max: usize,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Verb {
    Get,
    Post,
    Put,
    Patch,
    Delete,
}

/// A `GET` for admins.
pub(super) const fn get(path: &'static str) -> Route {
    Route::new(Verb::Get, path)
}

/// A `POST` for admins.
pub(super) const fn post(path: &'static str) -> Route {
    Route::new(Verb::Post, path)
}

/// A `PUT` for admins.
pub(super) const fn put(path: &'static str) -> Route {
    Route::new(Verb::Put, path)
}

/// A `PATCH` for admins.
pub(super) const fn patch(path: &'static str) -> Route {
    Route::new(Verb::Patch, path)
}

/// A `DELETE` for admins.
pub(super) const fn delete(path: &'static str) -> Route {
    Route::new(Verb::Delete, path)
}

impl Route {
    const fn new(verb: Verb, path: &'static str) -> Self {
        let (access, body_bytes_max) = (Access::Admin, BODY_BYTES_MAX);
        Self { path, access, alias_of: None, verb, body_bytes_max }
    }

    /// Opens the route to everybody.
    pub(super) const fn open(self) -> Self {
        Self { access: Access::Public, ..self }
    }

    /// Takes bodies up to this size.
    pub(super) const fn body_up_to(self, bytes: usize) -> Self {
        Self { body_bytes_max: bytes, ..self }
    }

    /// The same under another path.
    pub(super) const fn also(self, path: &'static str) -> Self {
        Self { path, alias_of: Some(self.path), ..self }
    }

    /// The method.
    pub fn method(&self) -> Method {
        match self.verb {
            Verb::Get => Method::GET,
            Verb::Post => Method::POST,
            Verb::Put => Method::PUT,
            Verb::Patch => Method::PATCH,
            Verb::Delete => Method::DELETE,
        }
    }

    fn filter(&self) -> MethodFilter {
        match self.verb {
            Verb::Get => MethodFilter::GET,
            Verb::Post => MethodFilter::POST,
            Verb::Put => MethodFilter::PUT,
            Verb::Patch => MethodFilter::PATCH,
            Verb::Delete => MethodFilter::DELETE,
        }
    }
}

/// The routes registered so far.
#[derive(Debug)]
pub(super) struct Routes {
    app: Arc<App>,
    router: Router<Arc<App>>,
    table: Vec<Route>,
}

impl Routes {
    /// None yet.
    pub(super) fn new(app: Arc<App>) -> Self {
        Self { app, router: Router::new(), table: Vec::new() }
    }

    /// Registers a route and whoever answers it.
    pub(super) fn add<H, T>(mut self, route: Route, handler: H) -> Self
    where
        H: Handler<T, Arc<App>>,
        T: 'static,
    {
        let answering =
            on(route.filter(), handler).layer(DefaultBodyLimit::max(route.body_bytes_max));
        let answering = match route.access {
            Access::Public => answering,
            Access::Admin => {
                answering.layer(from_extractor_with_state::<Admin, _>(Arc::clone(&self.app)))
            }
        };
        self.router = self.router.route(route.path, answering);
        self.table.push(route);
        self
    }

    /// Everything that was registered: for the server, and for people.
    pub(super) fn finish(self) -> (Router<Arc<App>>, Vec<Route>) {
        (self.router, self.table)
    }
}
