//! Every file in `golden/` as it is on the wire, and beside it what is read out of it.
//!
//! A file's name says what it is: the dialect in front (`openai-`, `gemini-`), or the status for an
//! error; the ending tells the shape.

#![expect(clippy::unwrap_used, reason = "a test that cannot read its files has to fail")]

use std::fs;
use std::path::{Path, PathBuf};

use bytes::Bytes;
use dialect::{Dialect, Rewrite, Shape, Tap};

#[test]
fn requests_are_read_and_rewritten() {
    check("requests", |name, body| {
        let is_openai = dialect_of(name) == Dialect::OpenAi;
        let peek = dialect::peek(dialect_of(name), body);
        let what = Rewrite {
            include_usage: is_openai && peek.as_ref().is_ok_and(|peek| peek.is_stream),
            thinking_extension: peek.as_ref().is_ok_and(|peek| peek.wants_thinking_extension),
            suffixes: None,
            model_prefix: None,
        };
        let rewritten = match dialect::rewrite(&Bytes::copy_from_slice(body), &what) {
            Ok(rewritten) if rewritten == body => "unchanged".to_owned(),
            Ok(rewritten) => String::from_utf8_lossy(&rewritten).into_owned(),
            Err(error) => error.to_string(),
        };
        format!("{peek:#?}\n\n{rewritten}")
    });
}

#[test]
fn responses_are_watched() {
    check("responses", |name, body| watched(dialect_of(name), Shape::Json, body));
}

#[test]
fn streams_are_watched() {
    check("streams", |name, body| {
        let shape = if name.ends_with(".json") { Shape::JsonArray } else { Shape::Sse };
        watched(dialect_of(name), shape, body)
    });
}

#[test]
fn errors_are_understood() {
    check("errors", |name, body| {
        let status = name.split('-').next().unwrap().parse().unwrap();
        format!("{:#?}", dialect::failure::read(status, body))
    });
}

fn watched(dialect: Dialect, shape: Shape, body: &[u8]) -> String {
    let mut tap = Tap::new(dialect, shape);
    tap.see(body);
    tap.end();
    format!("{:#?}", tap.seen())
}

fn dialect_of(name: &str) -> Dialect {
    if name.starts_with("openai-") { Dialect::OpenAi } else { Dialect::Gemini }
}

/// Reads every file of a folder and compares what is made of it with the snapshot beside it.
fn check(folder: &str, read: impl Fn(&str, &[u8]) -> String) {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden").join(folder);
    let mut settings = insta::Settings::clone_current();
    settings.set_snapshot_path(&folder);
    settings.set_prepend_module_to_snapshot(false);
    settings.set_omit_expression(true);
    let files = wire_files(&folder);
    assert!(!files.is_empty(), "nothing in {}", folder.display());
    for file in files {
        let name = file.file_name().unwrap().to_str().unwrap();
        let outcome = read(name, &fs::read(&file).unwrap());
        settings.bind(|| insta::assert_snapshot!(name, outcome));
    }
}

fn wire_files(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let is_wire =
        |path: &PathBuf| path.extension().is_some_and(|ending| ending != "snap" && ending != "new");
    let mut files: Vec<PathBuf> = entries.filter(is_wire).collect();
    files.sort();
    files
}
