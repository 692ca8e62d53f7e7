//! What comes in with a call, taken apart at the door: JSON bodies, queries, names in paths.
//!
//! Whatever is wrong is refused here, in one form, before the call begins.

use std::error::Error;
use std::sync::Arc;
use std::time::Duration;

use axum::Json;
use axum::extract::rejection::{BytesRejection, FailedToBufferBody, JsonRejection};
use axum::extract::{FromRequest, FromRequestParts, Path, Query, Request};
use bytes::Bytes;
use http::HeaderMap;
use http::header::CONTENT_TYPE;
use http::request::Parts;
use serde::de::DeserializeOwned;

use crate::admin::error::ApiError;
use crate::admin::problem::{Part, Problem};
use crate::app::App;

/// Longest time that a body may take.
const BODY_TIMEOUT: Duration = Duration::from_secs(60);

/// A JSON body.
#[derive(Debug)]
pub(super) struct Body<T>(pub(super) T);

impl<T: DeserializeOwned> FromRequest<Arc<App>> for Body<T> {
    type Rejection = ApiError;

    async fn from_request(request: Request, app: &Arc<App>) -> Result<Self, ApiError> {
        let content_type = media_type(request.headers()).unwrap_or_else(|| JSON.to_owned());
        if content_type != JSON && !content_type.ends_with("+json") {
            return Err(ApiError::MediaType);
        }
        parse_json(&read(request, app).await?).map(Self)
    }
}

/// The media type of JSON.
pub(super) const JSON: &str = "application/json";

/// What a body says that it is, in lower case and without parameters.
pub(super) fn media_type(headers: &HeaderMap) -> Option<String> {
    let text = headers.get(CONTENT_TYPE)?.to_str().ok()?;
    let bare = text.split_once(';').map_or(text, |(bare, _)| bare);
    Some(bare.trim().to_ascii_lowercase())
}

/// The whole body, up to the limit of its route.
pub(super) async fn read(request: Request, app: &Arc<App>) -> Result<Bytes, ApiError> {
    let reading = tokio::time::timeout(BODY_TIMEOUT, Bytes::from_request(request, app));
    reading.await.map_err(|_| ApiError::BodyTimeout)?.map_err(|rejection| {
        let is_too_large = matches!(
            rejection,
            BytesRejection::FailedToBufferBody(FailedToBufferBody::LengthLimitError(_))
        );
        if is_too_large { ApiError::BodyTooLarge } else { ApiError::BodyBroken }
    })
}

/// Understands a JSON body.
pub(super) fn parse_json<T: DeserializeOwned>(body: &[u8]) -> Result<T, ApiError> {
    // A list of values in the order of the fields would do for the deserializer.
    let is_object = body.trim_ascii_start().starts_with(b"{");
    let problem = match Json::from_bytes(body) {
        Ok(Json(value)) if is_object => return Ok(value),
        Err(JsonRejection::JsonDataError(error)) if is_object => {
            Problem::told(Part::Body, &told(&error))
        }
        Ok(_) | Err(JsonRejection::JsonDataError(_)) => Problem::no_object(),
        Err(_) => Problem::no_json(),
    };
    Err(ApiError::Invalid(vec![problem]))
}

/// The parameters of a query.
#[derive(Debug)]
pub(super) struct Params<T>(pub(super) T);

impl<T: DeserializeOwned> FromRequestParts<Arc<App>> for Params<T> {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, _: &Arc<App>) -> Result<Self, ApiError> {
        match Query::try_from_uri(&parts.uri) {
            Ok(Query(params)) => Ok(Self(params)),
            Err(error) => {
                let problem = Problem::told(Part::Query, &told(&error));
                let input = problem.field().and_then(|field| given(&parts.uri, field));
                let problem = match input {
                    Some(input) => problem.with_input(&input),
                    None => problem,
                };
                Err(ApiError::Invalid(vec![problem]))
            }
        }
    }
}

/// The last value of a parameter, as it was given.
fn given(uri: &http::Uri, field: &str) -> Option<String> {
    let Query(pairs) = Query::<Vec<(String, String)>>::try_from_uri(uri).ok()?;
    pairs.into_iter().rev().find(|(name, _)| name == field).map(|(_, value)| value)
}

/// The one name in a path.
#[derive(Debug)]
pub(super) struct Name(pub(super) String);

impl FromRequestParts<Arc<App>> for Name {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, app: &Arc<App>) -> Result<Self, ApiError> {
        // What is no UTF-8 names nothing here.
        let Path(name) = Path::from_request_parts(parts, app)
            .await
            .map_err(|_| ApiError::NotFound("Not Found"))?;
        Ok(Self(name))
    }
}

/// What the deserializer inside a rejection says, with the path to the mistake.
fn told(rejection: &dyn Error) -> String {
    rejection.source().map_or_else(|| rejection.to_string(), ToString::to_string)
}

#[cfg(test)]
mod tests {
    use serde::Deserialize;
    use serde_json::{Value, json};

    use super::*;

    #[derive(Debug, Deserialize)]
    struct Sent {
        #[expect(dead_code, reason = "only whether it can be read matters")]
        alias: String,
        #[expect(dead_code, reason = "only whether it can be read matters")]
        #[serde(default)]
        tags: Vec<String>,
    }

    #[test]
    fn a_mistake_in_a_body_is_told_with_its_place() {
        check("{}", &json!({"type": "missing", "loc": ["body", "alias"], "msg": "Field required"}));
        check(
            r#"{"alias": 5}"#,
            &json!({"type": "type_error", "loc": ["body", "alias"],
                "msg": "invalid type: integer, expected a string"}),
        );
        check(
            r#"{"alias": "a", "tags": ["x", null]}"#,
            &json!({"type": "type_error", "loc": ["body", "tags", 1],
                "msg": "invalid type: null, expected a string"}),
        );
        let no_json = json!({"type": "json_invalid", "loc": ["body"], "msg": "JSON decode error"});
        check("", &no_json);
        check("{", &no_json);
        check(r#"{"alias": "a"} x"#, &no_json);
    }

    fn check(body: &str, expected: &Value) {
        let error = parse_json::<Sent>(body.as_bytes()).unwrap_err();
        let answer = serde_json::to_value(error.body(String::new())).unwrap();
        let mut problem = answer["detail"][0].clone();
        problem.as_object_mut().unwrap().remove("input");

        assert_eq!(problem, *expected, "{body}");
    }
}
