//! No path, however crooked, becomes anything but one plain path below the base URL.

use dialect::{Asker, Dialect, PathError, Target, path, resolve};
use percent_encoding::percent_decode_str;

/// Longest path that is read.
const PATH_BYTES_MAX: usize = 16 * 1024;

/// Input: `METHOD ASKER PATH`, where an asker with a `k` has Google's key and one with a `c` is
/// Google's client.
pub fn holds(input: &[u8]) {
    let text = String::from_utf8_lossy(input);
    let mut words = text.splitn(3, ' ');
    let method = words.next().unwrap_or_default();
    let asker = words.next().unwrap_or_default();
    let path = words.next().unwrap_or_default();
    let asker =
        Asker { has_google_key: asker.contains('k'), has_google_client: asker.contains('c') };

    let _ = path::guess(path, &asker);
    match resolve(path, method, &asker) {
        Ok(target) => {
            is_one_plain_path(&target);
            names_its_model(&target);
            leads_to_itself(&target, method, asker);
        }
        Err(error) => {
            assert!(!error.hint().is_empty());
            let is_elsewhere = matches!(error, PathError::NotOurs | PathError::Slip(_));
            assert_eq!(error.status(), if is_elsewhere { 404 } else { 400 });
        }
    }
}

fn is_one_plain_path(target: &Target) {
    let path = &target.path;
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"/-._~:%".contains(&byte);
    assert!(path.starts_with('/') && path.bytes().all(is_plain), "{path}");
    assert!(!path.contains("//"), "{path}");
    assert!(!path.split('/').any(|segment| matches!(segment, "." | "..")), "{path}");
    // A second decoding on the way would climb, too.
    let decoded = percent_decode_str(path).decode_utf8().unwrap();
    assert!(!decoded.split(['/', '\\']).any(|part| matches!(part, "." | "..")), "{path}");
    assert!(!decoded.chars().any(char::is_control), "{path}");
}

fn names_its_model(target: &Target) {
    let Some(model) = &target.model else {
        return;
    };
    assert!(!model.trim().is_empty() && model.len() <= "tunedModels/".len() + 256, "{model}");
    let id = match &target.verb {
        Some(verb) => target.path.strip_suffix(verb.as_str()).unwrap().strip_suffix(':').unwrap(),
        None => &target.path,
    };
    let is_named = id.split('/').any(|segment| {
        let segment = percent_decode_str(segment).decode_utf8().unwrap();
        model.ends_with(segment.as_ref()) && !segment.is_empty()
    });
    assert!(is_named, "{model} in {}", target.path);
}

/// What goes upstream is understood as the same again, behind the mount of its dialect.
fn leads_to_itself(target: &Target, method: &str, asker: Asker) {
    let mount = match target.dialect {
        Dialect::OpenAi => "/openai/v1",
        Dialect::Gemini => "/gemini",
    };
    let whole = format!("{mount}{}", target.path);
    // What is encoded on its way through may take three times the bytes it came in.
    assert!(target.path.len() <= 3 * PATH_BYTES_MAX + "/v1beta/".len());
    if whole.len() <= PATH_BYTES_MAX {
        assert_eq!(resolve(&whole, method, &asker).as_ref(), Ok(target));
    }
}
