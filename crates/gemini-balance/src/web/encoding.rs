//! In which form a file goes out: as it is, or as one of the compressed variants made at build time.

use http::HeaderMap;
use http::header::ACCEPT_ENCODING;

use crate::web::files::File;

/// A form of a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Encoding {
    Plain,
    Gzip,
    Brotli,
}

impl Encoding {
    /// The smallest form of a file that the asker takes.
    pub(super) fn choose(headers: &HeaderMap, file: &File) -> Self {
        let is_taken = |encoding: &Self| encoding.name().is_some_and(|name| takes(headers, name));
        [Self::Brotli, Self::Gzip]
            .into_iter()
            .find(|encoding| file.has(*encoding) && is_taken(encoding))
            .unwrap_or(Self::Plain)
    }

    /// Its name in the protocol; a plain file needs none.
    pub(super) fn name(self) -> Option<&'static str> {
        match self {
            Self::Plain => None,
            Self::Gzip => Some("gzip"),
            Self::Brotli => Some("br"),
        }
    }
}

/// Whether an encoding is named and not ruled out by a weight of nought.
fn takes(headers: &HeaderMap, name: &str) -> bool {
    let values = headers.get_all(ACCEPT_ENCODING).iter().filter_map(|value| value.to_str().ok());
    values.flat_map(|value| value.split(',')).any(|choice| {
        let mut parts = choice.split(';').map(str::trim);
        let is_named = parts.next().is_some_and(|named| named.eq_ignore_ascii_case(name));
        let weight = parts.find_map(|part| part.strip_prefix("q="));
        is_named && weight.is_none_or(|weight| weight.parse::<f32>().is_ok_and(|it| it > 0.0))
    })
}
