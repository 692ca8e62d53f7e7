//! The keys that let us into the upstream: find, add, look at, change, test, take out, hand out.
//!
//! Every command is in the store before it takes effect in the pool, and both before it is
//! answered. Nothing but an export ever shows more of a key than its first and last characters.

mod add;
mod bulk;
mod detail;
mod edit;
mod export;
mod filter;
mod jobs;
mod list;
mod listed;
mod status;
mod test;
mod values;

use utoipa::OpenApi;

use crate::admin::routes::{Routes, delete, get, patch, post};

pub(super) use jobs::undo;

/// Largest body of a list of keys: 30,000 of the longest that there are.
const KEYS_BYTES_MAX: usize = 16 * 1024 * 1024;

#[derive(OpenApi)]
#[openapi(paths(
    list::list,
    list::one,
    detail::detail,
    status::status,
    values::values,
    add::add,
    edit::update,
    edit::remove,
    edit::reset,
    edit::reset_all,
    test::test,
    bulk::bulk,
    export::export,
    jobs::begin,
    jobs::import,
))]
pub(super) struct Document;

pub(super) fn routes(routes: Routes) -> Routes {
    routes
        .add(get("/api/keys"), list::list)
        .add(post("/api/keys").body_up_to(KEYS_BYTES_MAX), add::add)
        .add(get("/api/keys/status"), status::status)
        .add(get("/api/keys/values"), values::values)
        .add(post("/api/keys/reset"), edit::reset_all)
        .add(post("/api/keys/bulk").body_up_to(KEYS_BYTES_MAX), bulk::bulk)
        .add(post("/api/keys/export"), export::export)
        .add(post("/api/keys/jobs").body_up_to(KEYS_BYTES_MAX), jobs::begin)
        .add(post("/api/keys/import").body_up_to(KEYS_BYTES_MAX), jobs::import)
        .add(get("/api/keys/{key_identifier}"), list::one)
        .add(get("/api/keys/{key_identifier}/detail"), detail::detail)
        .add(patch("/api/keys/{key_identifier}"), edit::update)
        .add(delete("/api/keys/{key_identifier}"), edit::remove)
        .add(post("/api/keys/{key_identifier}/reset"), edit::reset)
        .add(post("/api/keys/{key_identifier}/test"), test::test)
}
