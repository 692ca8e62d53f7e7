//! What must be true of the parsers of foreign bytes, whatever they are given.
//!
//! A room keeps the law of its parsers beside them, in a file `laws.rs`: a function that takes any
//! bytes and panics if they break it. The fuzzer in `fuzz/` looks for such bytes, and a test shows
//! each law the ones that were kept. All of it is compiled for these two alone; what the laws share
//! is here.

use http::{HeaderMap, HeaderName, HeaderValue};

/// The first line without its end, and what follows.
pub(crate) fn line(input: &[u8]) -> (&[u8], &[u8]) {
    let end = input.iter().position(|byte| *byte == b'\n').unwrap_or(input.len());
    let (line, rest) = input.split_at(end);
    (line.trim_ascii_end(), rest.get(1..).unwrap_or_default())
}

/// Header fields, one a line up to an empty one, and what follows. Lines that no server would let
/// through are left out.
pub(crate) fn fields(input: &[u8]) -> (HeaderMap, &[u8]) {
    let mut fields = HeaderMap::new();
    let mut rest = input;
    while !rest.is_empty() {
        let (field, after) = line(rest);
        rest = after;
        if field.is_empty() {
            break;
        }
        let mut parts = field.splitn(2, |byte| *byte == b':');
        let name = HeaderName::from_bytes(parts.next().unwrap_or_default());
        let value = HeaderValue::from_bytes(parts.next().unwrap_or_default().trim_ascii());
        if let (Ok(name), Ok(value)) = (name, value) {
            fields.append(name, value);
        }
    }
    (fields, rest)
}

/// Shows a law every file of its corpus; the name of a file that breaks it is on standard error.
#[cfg(test)]
#[expect(clippy::print_stderr, reason = "a law that is broken does not know the file it was shown")]
pub(crate) fn check(target: &str, law: fn(&[u8])) {
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fuzz/corpus");
    let mut inputs = 0;
    for entry in std::fs::read_dir(folder.join(target)).unwrap() {
        let path = entry.unwrap().path();
        eprintln!("{}", path.display());
        law(&std::fs::read(&path).unwrap());
        inputs += 1;
    }
    assert!(inputs > 0, "nothing is kept for {target}");
}
