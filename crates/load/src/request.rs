//! The one request that a run sends again and again, made before the clock starts.

use anyhow::ensure;

const BEFORE: &str = r#"{"contents":[{"role":"user","parts":[{"text":""#;
const AFTER: &str = r#""}]}]}"#;

/// Returns head and body of a Gemini call whose body has exactly `body_bytes` bytes; `fields` are
/// further header fields, `name: value`.
///
/// # Errors
///
/// If no call is so small.
pub(crate) fn request(path: &str, fields: &[String], body_bytes: usize) -> anyhow::Result<Vec<u8>> {
    let frame = BEFORE.len() + AFTER.len();
    ensure!(frame < body_bytes, "a body has more than {frame} bytes");
    let mut request = format!(
        "POST {path} HTTP/1.1\r\nhost: bench\r\ncontent-type: application/json\r\n\
         content-length: {body_bytes}\r\n"
    );
    for field in fields {
        request.push_str(field);
        request.push_str("\r\n");
    }
    request.push_str("\r\n");
    request.push_str(BEFORE);
    // Words, as in a prompt; one endless word would be a gift to whoever looks for quotes.
    request.extend("word ".chars().cycle().take(body_bytes - frame));
    request.push_str(AFTER);
    Ok(request.into_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_body_is_json_of_the_size_that_was_asked_for() {
        let bytes = request("/v1", &["a: b".to_owned()], 1024).unwrap();

        let text = String::from_utf8(bytes).unwrap();
        let (head, body) = text.split_once("\r\n\r\n").unwrap();
        assert!(head.ends_with("content-length: 1024\r\na: b"));
        assert_eq!(body.len(), 1024);
        assert!(serde_json::from_str::<serde_json::Value>(body).is_ok());
        assert!(request("/v1", &[], 10).is_err());
    }
}
