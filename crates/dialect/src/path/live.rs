//! The paths of Live sessions: a WebSocket, a service of Google's with a version inside its name, and
//! a method of it.

use std::borrow::Cow;

use crate::Dialect;
use crate::path::{Op, Target};

const SERVICE: &str = "google.ai.generativelanguage.";
const METHODS: &str = "GenerativeService";
/// The longest word for a version, in bytes.
const VERSION_BYTES_MAX: usize = 16;
/// The longest name of a method, in bytes.
const METHOD_BYTES_MAX: usize = 64;

/// What such a path asks for: `/ws/google.ai.generativelanguage.v1beta.GenerativeService.Bidi…`. The
/// method may stand in a segment of its own, as it does in gRPC; of methods and versions that come
/// later the form is enough.
pub(super) fn target(segments: &[Cow<'_, str>]) -> Option<Target> {
    let (ws, name) = segments.split_first()?;
    let name = match name {
        [whole] => Cow::Borrowed(whole.as_ref()),
        [service, method] => Cow::Owned([service, ".", method].concat()),
        _ => return None,
    };
    let (version, rest) = name.strip_prefix(SERVICE)?.split_once('.')?;
    let method = rest.strip_prefix(METHODS)?.strip_prefix('.')?;
    let is_version = version.starts_with('v')
        && version.len() <= VERSION_BYTES_MAX
        && version.bytes().all(|byte| byte.is_ascii_alphanumeric());
    let is_method = method.starts_with("Bidi")
        && method.len() <= METHOD_BYTES_MAX
        && method.bytes().all(|byte| byte.is_ascii_alphanumeric());
    (ws == "ws" && is_version && is_method).then(|| Target {
        dialect: Dialect::Gemini,
        op: Op::Live,
        path: format!("/ws/{SERVICE}{version}.{METHODS}.{method}"),
        model: None,
        verb: Some(method.to_owned()),
    })
}
