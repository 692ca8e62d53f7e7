//! What calls, bodies, answers and pages say of resources.

use proptest::prelude::*;

use super::*;
use crate::path::{Asker, resolve};

const GOOGLE: Asker = Asker { has_google_key: true, has_google_client: false };

#[test]
fn a_call_is_about_the_root_of_what_its_path_names() {
    check("GET", "/v1beta/files/abc", "files/abc");
    check("GET", "/v1beta/files/abc:download", "files/abc");
    check("GET", "/download/v1beta/files/abc:download", "files/abc");
    check("PATCH", "/v1/cachedContents/c", "cachedContents/c");
    check("POST", "/v1/batches/b:cancel", "batches/b");
    check("GET", "/v1beta/models/veo/operations/o", "models/veo/operations/o");
    check("GET", "/v1beta/tunedModels/t/operations/o", "tunedModels/t");
    check("POST", "/v1beta/tunedModels/t:generateContent", "tunedModels/t");
    check("POST", "/v1beta/fileSearchStores/s:importFile", "fileSearchStores/s");
    check(
        "POST",
        "/upload/v1beta/fileSearchStores/s:uploadToFileSearchStore",
        "fileSearchStores/s",
    );
    check("DELETE", "/v1/fileSearchStores/s/documents/d", "fileSearchStores/s");
    check("GET", "/v1/fileSearchStores/s/upload/operations/o", "fileSearchStores/s");
    check("PUT", "/upload/v1/environments/e/files/a/b.txt", "environments/e");
    check("POST", "/v1/interactions/i/cancel", "interactions/i");
    check("GET", "/v1beta/comesLater/x/y", "comesLater/x");
    check("GET", "/v1beta/files%2Fabc", "files/abc");
    check("DELETE", "/v1beta/files/abc", "deletes files/abc");
    check("DELETE", "/v1/interactions/i", "deletes interactions/i");
    check("GET", "/v1beta/openai/batches/batches%2Fb", "batches/b");
    check("GET", "/v1beta/openai/responses/r/input_items", "responses/r");
}

#[test]
fn a_call_may_make_something_or_list_what_there_is() {
    check("POST", "/upload/v1beta/files", "makes files");
    check("POST", "/v1beta/files", "makes files");
    check("POST", "/v1/interactions", "makes interactions");
    check("POST", "/v1beta/models/m:batchGenerateContent", "makes operations");
    check("POST", "/v1beta/models/m:predictLongRunning", "makes operations");
    check("GET", "/v1beta/files", "lists files");
    check("GET", "/v1/batches", "lists batches");
    check("GET", "/v1beta/models/m/operations", "lists models/m/operations");
}

#[test]
fn a_name_of_nothing_but_its_kind_names_nothing() {
    assert_eq!(root("batches/batches/b").as_deref(), Some("batches/b"));
    assert_eq!(root("batches/batches/batches"), None);
}

#[test]
fn ordinary_calls_touch_nothing() {
    for (method, path) in [
        // A token is a credential: its name is not written down.
        ("POST", "/v1alpha/auth_tokens"),
        ("GET", "/ws/google.ai.generativelanguage.v1.GenerativeService.BidiGenerateContent"),
        ("POST", "/v1beta/models/m:generateContent"),
        ("POST", "/v1beta/models/m:streamGenerateContent"),
        ("POST", "/v1beta/models/m:countTokens"),
        ("POST", "/v1beta/models/m:batchEmbedContents"),
        ("POST", "/v1beta/models/m:predict"),
        ("GET", "/v1beta/models"),
        ("GET", "/v1beta/models/m"),
        ("POST", "/v1/chat/completions"),
        ("POST", "/v1/embeddings"),
    ] {
        check(method, path, "nothing");
    }
}

#[test]
fn a_body_names_what_stands_in_its_strings() {
    let google = "https://generativelanguage.googleapis.com/v1beta/files/abc";
    named(&format!(r#"{{"fileData":{{"fileUri":"{google}"}}}}"#), &["files/abc"]);
    named(
        &format!(r#"{{"file_data":{{"file_uri":"{google}:download?alt=media"}}}}"#),
        &["files/abc"],
    );
    named(
        r#"{"input":[{"type":"image","uri":"files/a"},{"uri":"v1/files/b"}]}"#,
        &["files/a", "files/b"],
    );
    named(r#"{"cachedContent":"cachedContents/c","x":1}"#, &["cachedContents/c"]);
    named(r#"{"cached_content":"cachedContents\/c"}"#, &["cachedContents/c"]);
    named(r#"{"cachedContent":"cach\u0065dContents\u002fc"}"#, &["cachedContents/c"]);
    named(r#"{"previous_interaction_id" : "v1_x"}"#, &["interactions/v1_x"]);
    named(r#"{"previous\u005finteraction\u005Fid":"x"}"#, &["interactions/x"]);
    named(r#"{"batch":{"inputConfig":{"fileName":"files/in"}}}"#, &["files/in"]);
    named(
        r#"{"fileSearch":{"fileSearchStoreNames":["fileSearchStores/s","fileSearchStores/t"]}}"#,
        &["fileSearchStores/s", "fileSearchStores/t"],
    );
    named(r#"{"retriever":{"source":"corpora/c/documents/d"}}"#, &["corpora/c"]);
    named(r#"{"text":["a",{"text":"b"},"files/c"]}"#, &["files/c"]);
    named(r#"{"model":"tunedModels/t"}"#, &["tunedModels/t"]);
}

#[test]
fn talk_and_other_addresses_name_nothing() {
    for body in [
        "",
        "{}",
        r#"{"contents":[{"parts":[{"text":"files/abc"}]}]}"#,
        r#"{"fileUri":"https://www.youtube.com/watch?v=files/abc"}"#,
        r#"{"fileUri":"https://example.com/files/abc"}"#,
        r#"{"model":"models/gemini"}"#,
        r#"{"uri":"files/"}"#,
        r#"{"data":"aGVsbG9zLwfiles/"}"#,
        "\"files/abc",
    ] {
        named(body, &[]);
    }
}

#[test]
fn an_answer_names_by_name_or_by_id() {
    let made = |name: &str, id: &str| Made {
        name: Some(name.to_owned()).filter(|it| !it.is_empty()),
        id: Some(id.to_owned()).filter(|it| !it.is_empty()),
        expires: None,
    };
    let makes = |kind: &str| Use::Makes { kind: kind.to_owned() };

    assert_eq!(makes("files").answered(&made("files/a", "")), Some("files/a".into()));
    assert_eq!(makes("interactions").answered(&made("", "v1")), Some("interactions/v1".into()));
    assert_eq!(
        makes("tunedModels").answered(&made("tunedModels/t/operations/o", "")),
        Some("tunedModels/t".into())
    );
    assert_eq!(makes("batches").answered(&made("", "batches/b")), Some("batches/b".into()));
    assert_eq!(makes("files").answered(&made("", "")), None);
    assert_eq!(Use::None.answered(&made("files/a", "")), None);
}

#[test]
fn a_page_of_openais_dialect_goes_on_behind_its_last_item() {
    let body =
        br#"{"object":"list","data":[{"id":"batch_1"},{"id":"batch_2","x":1}],"has_more":true}"#;

    let page = Page::read(body).unwrap();

    assert_eq!(page.next.as_deref(), Some("batch_2"));
    assert_eq!(page.items[1].name("batches").as_deref(), Some("batches/batch_2"));
    let items: Vec<&str> = page.items.iter().map(|item| item.raw).collect();
    let margin = Margin { member: &page.member, next: Some("x") };
    let written = Page::write_in(Dialect::OpenAi, margin, &items);
    let expected = r#"{"object":"list","data":[{"id":"batch_1"},{"id":"batch_2","x":1}],"first_id":"batch_1","last_id":"batch_2","has_more":true}"#;
    assert_eq!(written, expected);
    let none = Page::write_in(Dialect::OpenAi, Margin { member: "", next: None }, &[]);
    assert_eq!(
        none,
        r#"{"object":"list","data":[],"first_id":null,"last_id":null,"has_more":false}"#
    );
}

#[test]
fn a_page_is_taken_apart_and_put_together_as_it_came() {
    let body =
        br#"{"files":[{"name":"files/a", "x":1.0e2},{"name":"files\/b"}],"nextPageToken":"n"}"#;

    let page = Page::read(body).unwrap();

    assert_eq!((page.member.as_str(), page.next.as_deref()), ("files", Some("n")));
    let names: Vec<_> = page.items.iter().filter_map(|item| item.name("files")).collect();
    assert_eq!(names, ["files/a", "files/b"]);
    let items: Vec<&str> = page.items.iter().map(|item| item.raw).collect();
    assert_eq!(Page::write("files", &items, Some("n")).as_bytes(), &body[..]);
    assert_eq!(Page::write("files", &[], None), "{}");
    assert_eq!(Page::write("files", &[], Some("n")), r#"{"nextPageToken":"n"}"#);
    assert_eq!(Page::read(b"{}"), Some(Page::default()));
    assert_eq!(Page::read(b"[]"), None);
}

proptest! {
    #[test]
    fn a_name_is_found_however_its_letters_are_escaped(
        id in "[a-z0-9-]{1,40}",
        escapes in prop::collection::vec(any::<bool>(), 60),
        before in "[a-zA-Z0-9 ]{0,20}",
    ) {
        let name = format!("files/{id}");
        let spelt: String = name
            .chars()
            .zip(&escapes)
            .map(|(char, is_escaped)| match is_escaped {
                true => format!("\\u{:04x}", u32::from(char)),
                false => char.to_string(),
            })
            .collect();

        let found = found(&format!(r#"{{"x":"{before}","file_uri":"{spelt}"}}"#));

        prop_assert_eq!(found, [name]);
    }

    #[test]
    fn no_bytes_make_it_fall_over(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        let body = [b"{\"a\":\"files/b\",".as_slice(), &bytes].concat();
        each_named(&body, |name| assert_eq!(root(name).as_deref(), Some(name)));
        each_named(&bytes, |name| assert_eq!(root(name).as_deref(), Some(name)));
        let _ = Page::read(&bytes);
    }

    #[test]
    fn a_root_is_its_own_root(name in "[a-zA-Z/:é]{0,40}") {
        if let Some(found) = root(&name) {
            prop_assert_eq!(root(&found), Some(found));
        }
    }
}

#[track_caller]
fn check(method: &str, path: &str, expected: &str) {
    let target = resolve(path, method, &GOOGLE).unwrap();
    let told = match Use::of(&target, method) {
        Use::None => "nothing".to_owned(),
        Use::Makes { kind } => format!("makes {kind}"),
        Use::Lists { kind } => format!("lists {kind}"),
        Use::Names { name, is_deleted: true } => format!("deletes {name}"),
        Use::Names { name, is_deleted: false } => name,
    };
    assert_eq!(told, expected, "{method} {path}");
}

#[track_caller]
fn named(body: &str, expected: &[&str]) {
    assert_eq!(found(body), expected, "{body}");
}

fn found(body: &str) -> Vec<String> {
    let mut names = Vec::new();
    each_named(body.as_bytes(), |name| names.push(name.to_owned()));
    names
}

#[test]
fn a_resource_is_found_where_its_dialect_has_it() {
    assert_eq!(address("files/abc"), (Dialect::Gemini, "/v1beta/files/abc".to_owned()));
    assert_eq!(address("responses/r"), (Dialect::OpenAi, "/responses/r".to_owned()));
    let operation = "models/m/operations/o";
    assert_eq!(address(operation), (Dialect::Gemini, format!("/v1beta/{operation}")));
}
