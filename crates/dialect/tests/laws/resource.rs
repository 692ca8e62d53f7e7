//! No name in a body slips through, and what is shown is a name.

use dialect::resource::{Page, each_named, root};
use serde_json::Value;

/// Input: the body.
pub fn holds(input: &[u8]) {
    let mut shown = Vec::new();
    each_named(input, |name| {
        assert_eq!(root(name).as_deref(), Some(name), "a root");
        shown.push(name.to_owned());
    });
    if let Ok(body) = serde_json::from_slice::<Value>(input) {
        no_name_is_passed_over(&body, None, &shown);
    }
    if let Some(page) = Page::read(input) {
        let items: Vec<&str> = page.items.iter().map(|item| item.raw).collect();
        let written = Page::write(&page.member, &items, page.next.as_deref());
        let again = Page::read(written.as_bytes()).unwrap();
        assert_eq!((&again.items, &again.next), (&page.items, &page.next));
    }
}

/// Whoever spells a name in an odd way names it all the same.
fn no_name_is_passed_over(value: &Value, key: Option<&str>, shown: &[String]) {
    match value {
        Value::Object(fields) => {
            for (key, value) in fields {
                no_name_is_passed_over(value, Some(key), shown);
            }
        }
        Value::Array(items) => {
            items.iter().for_each(|item| no_name_is_passed_over(item, key, shown));
        }
        Value::String(text) => {
            let is_kept = ["files/", "cachedContents/", "fileSearchStores/", "batches/"]
                .iter()
                .any(|kind| text.strip_prefix(kind).is_some_and(|id| !id.contains("/")));
            let is_name = is_kept && root(text).as_deref() == Some(text.as_str());
            let is_plain = !text.contains([' ', ':']) && text.trim() == text;
            // The value of such a key is an id, whatever it looks like.
            let is_id = key.is_some_and(|key| key.starts_with("previous"));
            if is_name && is_plain && !is_id && key != Some("text") {
                assert!(shown.contains(text), "{text} under {key:?}");
            }
        }
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}
