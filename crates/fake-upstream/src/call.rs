//! What a request asks for: in which dialect, for which model, with which credentials.

use std::{borrow::Cow, sync::OnceLock};

use percent_encoding::percent_decode_str;
use serde_json::Value;

use crate::http::Request;

/// A request understood.
pub(crate) struct Call<'a> {
    pub(crate) request: &'a Request,
    pub(crate) dialect: Dialect,
    pub(crate) credentials: Vec<Credential<'a>>,
    /// The path behind the version, without the query: `models/m:generateContent`.
    pub(crate) resource: &'a str,
    pub(crate) query: &'a str,
    json: OnceLock<Option<Value>>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Dialect {
    Gemini,
    OpenAi,
}

/// A credential and where it stood.
pub(crate) struct Credential<'a> {
    pub(crate) carrier: Carrier,
    pub(crate) value: Cow<'a, str>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Carrier {
    Authorization,
    Header,
    Query,
}

impl<'a> Call<'a> {
    pub(crate) fn new(request: &'a Request) -> Self {
        let (path, query) = request.target.split_once('?').unwrap_or((&request.target, ""));
        let credentials = credentials(request, query);
        let is_bearer = credentials.iter().any(|seen| seen.carrier == Carrier::Authorization);
        let (dialect, resource) = place(path, is_bearer);
        Self { request, dialect, credentials, resource, query, json: OnceLock::new() }
    }

    /// The first credential.
    pub(crate) fn key(&self) -> Option<&str> {
        self.credentials.first().map(|seen| seen.value.as_ref())
    }

    /// The body, if it is JSON.
    pub(crate) fn json(&self) -> Option<&Value> {
        self.json.get_or_init(|| serde_json::from_slice(&self.request.body).ok()).as_ref()
    }

    /// The model's name without `models/`: from the path, or from the body in an OpenAI request.
    pub(crate) fn model(&self) -> Option<String> {
        let in_path = self.resource.strip_prefix("models/");
        let named = match (self.dialect, in_path, self.verb()) {
            (Dialect::OpenAi, Some(name), _) => name,
            (Dialect::OpenAi, None, _) => self.json()?.get("model")?.as_str()?,
            // A name has no bare slash; what follows one is an operation of the model.
            (Dialect::Gemini, Some(name), _) => split_verb(name).0.split('/').next()?,
            (Dialect::Gemini, None, (name, Some(_))) => name,
            (Dialect::Gemini, None, (_, None)) => return None,
        };
        let decoded = if self.dialect == Dialect::OpenAi && in_path.is_none() {
            Cow::Borrowed(named)
        } else {
            percent_decode_str(named).decode_utf8_lossy()
        };
        Some(decoded.strip_prefix("models/").unwrap_or(&decoded).to_owned())
    }

    /// The resource and the verb behind its colon.
    pub(crate) fn verb(&self) -> (&'a str, Option<&'a str>) {
        split_verb(self.resource)
    }

    /// The decoded value of a query parameter.
    pub(crate) fn parameter(&self, name: &str) -> Option<Cow<'a, str>> {
        parameters(self.query).find_map(|(known, value)| (known == name).then_some(value))
    }
}

fn split_verb(resource: &str) -> (&str, Option<&str>) {
    match resource.rsplit_once(':') {
        Some((name, verb)) => (name, Some(verb)),
        None => (resource, None),
    }
}

/// Which dialect a path belongs to, and what it names. `/v1` is shared: there a verb means
/// Gemini, a path only OpenAI has means OpenAI, and otherwise a bearer token decides.
fn place(path: &str, is_bearer: bool) -> (Dialect, &str) {
    for version in ["v1beta", "v1alpha", "v1"] {
        let inside = path.strip_prefix('/').and_then(|rest| rest.strip_prefix(version));
        let Some(resource) = inside.and_then(|rest| rest.strip_prefix('/')) else {
            continue;
        };
        if let Some(resource) = resource.strip_prefix("openai/") {
            return (Dialect::OpenAi, resource);
        }
        let has_verb = split_verb(resource).1.is_some();
        let first = resource.split('/').next().unwrap_or_default();
        let is_openai_only = matches!(
            first,
            "chat"
                | "completions"
                | "embeddings"
                | "images"
                | "responses"
                | "audio"
                | "moderations"
        );
        if version == "v1" && !has_verb && (is_openai_only || is_bearer) {
            return (Dialect::OpenAi, resource);
        }
        return (Dialect::Gemini, resource);
    }
    (Dialect::Gemini, path.strip_prefix('/').unwrap_or(path))
}

fn credentials<'a>(request: &'a Request, query: &'a str) -> Vec<Credential<'a>> {
    let mut found = Vec::with_capacity(1);
    let mut add = |carrier, value| found.push(Credential { carrier, value });
    for (name, value) in &request.headers {
        if name.eq_ignore_ascii_case("x-goog-api-key") || name.eq_ignore_ascii_case("x-api-key") {
            add(Carrier::Header, Cow::Borrowed(value.as_str()));
        } else if name.eq_ignore_ascii_case("authorization") {
            let token = value.split_once(' ').map_or(value.as_str(), |(_, token)| token.trim());
            add(Carrier::Authorization, Cow::Borrowed(token));
        }
    }
    for (name, value) in parameters(query) {
        if name == "key" || name == "access_token" {
            add(Carrier::Query, value);
        }
    }
    found
}

fn parameters(query: &str) -> impl Iterator<Item = (Cow<'_, str>, Cow<'_, str>)> {
    query.split('&').filter(|pair| !pair.is_empty()).map(|pair| {
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        let decode = |text| percent_decode_str(text).decode_utf8_lossy();
        (decode(name), decode(value))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_and_a_credential_tell_the_dialect() {
        let check = |path, is_bearer, dialect, resource| {
            assert_eq!(place(path, is_bearer), (dialect, resource), "{path}");
        };

        check(
            "/v1beta/models/m:generateContent",
            true,
            Dialect::Gemini,
            "models/m:generateContent",
        );
        check("/v1/models/m:generateContent", true, Dialect::Gemini, "models/m:generateContent");
        check("/v1/models", true, Dialect::OpenAi, "models");
        check("/v1/models", false, Dialect::Gemini, "models");
        check("/v1/chat/completions", false, Dialect::OpenAi, "chat/completions");
        check("/v1beta/openai/models", true, Dialect::OpenAi, "models");
        check("/upload/v1beta/files", false, Dialect::Gemini, "upload/v1beta/files");
    }
}
