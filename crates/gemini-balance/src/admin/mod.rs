//! The control plane: everything an admin does, under `/api`.
//!
//! One file per resource, each with its routes, types, handlers and tests. `router` shows them all;
//! every route is registered through [`routes`], which holds it to the access it declares.

mod access;
mod alerts;
mod backup;
mod charts;
mod error;
mod events;
mod frame;
mod imports;
mod input;
mod jobs;
#[cfg(any(test, fuzzing))]
pub mod laws;
mod live_logs;
mod live_sessions;
mod log_export;
mod login;
mod login_form;
mod moment;
mod openapi;
mod parameters;
mod peer;
mod pieces;
mod problem;
mod request_logs;
mod resources;
mod routes;
mod service_keys;
mod sessions;
mod sse;
mod stats;
mod system;
mod time_range;
mod tuning;
mod user_keys;
mod values;

use std::sync::Arc;

use axum::Router;
use axum::middleware::from_fn_with_state;

use crate::admin::error::ApiError;
use crate::admin::routes::Routes;
use crate::app::App;

pub use routes::{Access, Route};
pub use system::{gauges, metrics_page};

/// The admin's calls, complete. Each request carries the address of its peer as
/// `ConnectInfo` in its extensions.
pub fn router(app: Arc<App>) -> Router {
    let (router, _) = all(&app).finish();
    router
        .fallback(async || ApiError::NotFound("Not Found"))
        .method_not_allowed_fallback(async || ApiError::MethodNotAllowed)
        .layer(from_fn_with_state(Arc::clone(&app), frame::frame))
        .with_state(app)
}

/// Every route there is, with who may call it.
pub fn table(app: &Arc<App>) -> Vec<Route> {
    all(app).finish().1
}

fn all(app: &Arc<App>) -> Routes {
    let routes = Routes::new(Arc::clone(app));
    let routes = login::routes(routes);
    let routes = sessions::routes(routes);
    let routes = user_keys::routes(routes);
    let routes = service_keys::routes(routes);
    let routes = jobs::routes(routes);
    let routes = imports::routes(routes);
    let routes = request_logs::routes(routes);
    let routes = log_export::routes(routes);
    let routes = live_logs::routes(routes);
    let routes = live_sessions::routes(routes);
    let routes = events::routes(routes);
    let routes = resources::routes(routes);
    let routes = charts::routes(routes);
    let routes = stats::routes(routes);
    let routes = backup::routes(routes);
    let routes = alerts::routes(routes);
    let routes = system::routes(routes);
    let routes = tuning::routes(routes);
    openapi::routes(routes)
}
