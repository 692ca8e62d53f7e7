//! The files that a long operation leaves behind, which nobody has uploaded.

use serde_json::Value;

use super::root;

/// An answer that is longer holds its results itself, in bytes.
pub const RESULTS_BYTES_MAX: usize = 64 * 1024;
/// Most files of one operation that are told.
const RESULTS_MAX: usize = 64;

/// Where a finished operation names the file with its results: a batch of Gemini's in what is said
/// about it and in its answer, a batch of OpenAI's dialect in its root. Only there: elsewhere an
/// operation repeats what its caller has said.
const NAMES: [&str; 4] = [
    "/metadata/output/responsesFile",
    "/response/responsesFile",
    "/output_file_id",
    "/error_file_id",
];
/// Where the films of Veo are, each with the address of its file.
const FILMS: &str = "/response/generateVideoResponse/generatedSamples";
/// The last part of that address.
const DOWNLOAD: &str = ":download";

/// Whether what is kept under a name may leave files behind when it is over.
pub fn has_results(name: &str) -> bool {
    let is_kind = |kind: &str| name.strip_prefix(kind).is_some_and(|rest| rest.starts_with('/'));
    ["batches", "operations"].into_iter().any(is_kind)
        || (is_kind("models") && name.contains("/operations/"))
}

/// The roots of the files in which an operation has left its results, as far as its whole answer names
/// some.
pub fn results(answer: &[u8]) -> Vec<String> {
    let Ok(answer) = serde_json::from_slice::<Value>(answer) else { return Vec::new() };
    let named = NAMES.iter().filter_map(|place| answer.pointer(place)?.as_str());
    let films = answer.pointer(FILMS).and_then(Value::as_array).into_iter().flatten();
    let films = films.filter_map(|film| film.pointer("/video/uri")?.as_str());
    named.chain(films).filter_map(file).take(RESULTS_MAX).collect()
}

/// The root of a file by its name, its id or its address.
fn file(text: &str) -> Option<String> {
    let path = text.split(['?', '#']).next()?;
    let id = match path.rsplit_once("/files/") {
        Some((_, id)) => id,
        None => path.strip_prefix("files/").unwrap_or(path),
    };
    let id = id.strip_suffix(DOWNLOAD).unwrap_or(id);
    let is_id = !id.is_empty() && !id.contains(['/', ':', '%']);
    root(&["files/", id].concat()).filter(|_| is_id)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_are_named_where_the_upstream_alone_writes() {
        let batch = r#"{"name":"batches/b","metadata":{"displayName":"files/x","output":
            {"responsesFile":"files/batch-b"}},"done":true,"response":{"responsesFile":"files/batch-b"}}"#;
        assert_eq!(results(batch.as_bytes()), ["files/batch-b", "files/batch-b"]);
        let films = r#"{"name":"models/m/operations/o","done":true,"response":{"generateVideoResponse":
            {"generatedSamples":[{"video":{"uri":
            "https://generativelanguage.googleapis.com/v1beta/files/f1:download?alt=media"}},
            {"video":{"uri":"https://example.com/f2"}}, {"video":{}}]}}}"#;
        assert_eq!(results(films.as_bytes()), ["files/f1"]);
        let openai = r#"{"id":"batch_1","input_file_id":"files/x","output_file_id":"file-out",
            "error_file_id":"files/err"}"#;
        assert_eq!(results(openai.as_bytes()), ["files/file-out", "files/err"]);

        for none in [
            "",
            "{",
            r#"{"done":true,"response":{"inlinedResponses":{"inlinedResponses":
                [{"metadata":{"responsesFile":"files/x"}}]}}}"#,
            r#"{"response":{"responsesFile":7},"output_file_id":"","error_file_id":"files/a/b"}"#,
            r#"{"metadata":{"responsesFile":"files/x"}}"#,
        ] {
            assert_eq!(results(none.as_bytes()), [""; 0], "{none}");
        }
    }

    #[test]
    fn only_what_runs_for_long_leaves_results() {
        for name in ["batches/b", "operations/o", "models/m/operations/o"] {
            assert!(has_results(name), "{name}");
        }
        for name in ["files/f", "interactions/i", "batchesx/b", "models/m"] {
            assert!(!has_results(name), "{name}");
        }
    }
}
