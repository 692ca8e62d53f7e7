//! The API document, put together from what each resource says of itself.
//!
//! It is for admins only, and locked by a snapshot: whoever changes the API sees it in the review.

use axum::Json;
use utoipa::OpenApi;
use utoipa::openapi::security::{ApiKey, ApiKeyValue, HttpAuthScheme, HttpBuilder, SecurityScheme};
use utoipa::openapi::{Components, OpenApi as Description};

use crate::admin::access::COOKIE_NAME;
use crate::admin::routes::{Routes, get};
use crate::admin::{
    backup, charts, events, imports, jobs, live_logs, live_sessions, log_export, login,
    request_logs, resources, service_keys, sessions, stats, system, user_keys,
};

/// What holds for all of it.
#[derive(OpenApi)]
#[openapi(
    info(
        title = "Gemini Balance",
        description = "What an admin can do. Errors are `{\"detail\": …, \"error\": {\"code\": …}, \
                       \"request_id\": …}`.",
        license(name = "MIT OR Apache-2.0"),
    ),
    paths(document),
    security(("token" = []), ("cookie" = [])),
)]
struct Document;

pub(super) fn routes(routes: Routes) -> Routes {
    routes.add(get("/api/openapi.json"), document)
}

/// Describes all of `/api`.
#[utoipa::path(
    get, path = "/api/openapi.json", tag = "system",
    responses((status = 200, description = "This document", body = Object)),
)]
async fn document() -> Json<Description> {
    Json(description())
}

/// What each resource says of itself.
fn parts() -> [Description; 16] {
    [
        login::Document::openapi(),
        sessions::Document::openapi(),
        user_keys::Document::openapi(),
        service_keys::Document::openapi(),
        jobs::Document::openapi(),
        imports::Document::openapi(),
        request_logs::Document::openapi(),
        log_export::Document::openapi(),
        live_logs::Document::openapi(),
        live_sessions::Document::openapi(),
        events::Document::openapi(),
        resources::Document::openapi(),
        charts::Document::openapi(),
        stats::Document::openapi(),
        backup::Document::openapi(),
        system::Document::openapi(),
    ]
}

/// The whole document.
fn description() -> Description {
    let mut description = Document::openapi();
    for part in parts() {
        description.merge(part);
    }
    let components = description.components.get_or_insert_with(Components::default);
    let bearer = HttpBuilder::new().scheme(HttpAuthScheme::Bearer).bearer_format("JWT").build();
    components.add_security_scheme("token", SecurityScheme::Http(bearer));
    let cookie = ApiKey::Cookie(ApiKeyValue::new(COOKIE_NAME));
    components.add_security_scheme("cookie", SecurityScheme::ApiKey(cookie));
    description
}

#[cfg(test)]
mod tests {
    use std::collections::{HashMap, HashSet};

    use serde_json::Value;

    use super::*;

    #[test]
    fn the_document_changes_only_where_somebody_looks() {
        let mut description = serde_json::to_value(description()).unwrap();
        description["info"]["version"] = "[version]".into();

        insta::assert_json_snapshot!("openapi", description);
    }

    #[test]
    fn no_two_operations_have_one_name() {
        let description = serde_json::to_value(description()).unwrap();
        let mut names = HashSet::new();
        for (path, operations) in description["paths"].as_object().unwrap() {
            for operation in operations.as_object().unwrap().values() {
                let name = operation["operationId"].as_str().unwrap();
                assert!(names.insert(name.to_owned()), "{name} of {path}");
            }
        }
    }

    #[test]
    fn no_value_is_said_to_be_a_plain_one_and_an_object() {
        fn look(place: &str, value: &Value) {
            if let Some(parts) = value["allOf"].as_array() {
                let is_object = |part: &Value| part["$ref"].is_string() || part["type"] == "object";
                assert!(parts.iter().all(is_object), "{place}: {value}");
            }
            match value {
                Value::Object(entries) => {
                    entries
                        .iter()
                        .for_each(|(name, inner)| look(&format!("{place}/{name}"), inner));
                }
                Value::Array(items) => items.iter().for_each(|item| look(place, item)),
                Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
            }
        }

        look("", &serde_json::to_value(description()).unwrap());
    }

    #[test]
    fn no_name_of_a_type_means_two_things() {
        let mut known = HashMap::new();
        for part in parts() {
            let part = serde_json::to_value(part).unwrap();
            let Some(types) = part["components"]["schemas"].as_object() else { continue };
            for (name, meaning) in types {
                let before = known.insert(name.clone(), meaning.clone());
                assert!(before.is_none_or(|before| before == *meaning), "{name}");
            }
        }
    }
}
