//! What people put in front of a resource, taken off again.

use std::borrow::Cow;

/// What stands in front of the resource.
#[derive(Debug, Default)]
pub(super) struct Mount {
    /// The last version: where they are doubled, the client's own comes last.
    pub(super) version: Option<&'static str>,
    /// `upload` or `download`, which stand before the version.
    pub(super) transfer: Option<&'static str>,
    pub(super) is_openai: bool,
    pub(super) is_gemini: bool,
}

impl Mount {
    /// Takes versions and known mounts off the front, in any order and number.
    pub(super) fn take_off(segments: &mut Vec<Cow<'_, str>>) -> Self {
        let mut mount = Self::default();
        let mut taken = 0;
        for segment in segments.iter() {
            match segment.as_ref() {
                "v1" => mount.version = Some("v1"),
                "v1beta" => mount.version = Some("v1beta"),
                "v1alpha" => mount.version = Some("v1alpha"),
                "upload" => mount.transfer = Some("upload"),
                "download" => mount.transfer = Some("download"),
                "openai" => mount.is_openai = true,
                "gemini" | "vertex-express" => mount.is_gemini = true,
                "hf" => {}
                _ => break,
            }
            taken += 1;
        }
        segments.drain(..taken);
        mount
    }
}

/// Undoes `publishers/google/models/m`, `models/models/m` and `models%2Fm`.
pub(super) fn unwrap_models(segments: &mut Vec<Cow<'_, str>>) {
    if matches!(segments.first().map(Cow::as_ref), Some("publishers" | "projects")) {
        let models = segments.iter().position(|segment| segment == "models");
        segments.drain(..models.unwrap_or(0));
    }
    let Some((first, rest)) = segments.split_first() else {
        return;
    };
    // Nearly always there is nothing to undo.
    let is_wrapped =
        |segment: &Cow<'_, str>| *segment == "models" || segment.starts_with("models/");
    if !first.starts_with("models/") && !rest.first().is_some_and(is_wrapped) {
        return;
    }
    let mut below = first.as_ref();
    let mut is_model = below == "models";
    while let Some(inner) = below.strip_prefix("models/") {
        is_model = true;
        below = inner;
    }
    if !is_model {
        return;
    }
    let mut unwrapped = vec![Cow::Borrowed("models")];
    for segment in std::iter::once(below).chain(rest.iter().map(Cow::as_ref)) {
        let mut id = segment;
        if unwrapped.len() == 1 {
            while let Some(inner) = id.strip_prefix("models/") {
                id = inner;
            }
            if id == "models" {
                continue;
            }
        }
        unwrapped.push(Cow::Owned(id.to_owned()));
    }
    *segments = unwrapped;
}
