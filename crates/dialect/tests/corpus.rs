//! Every input in `fuzz/corpus` keeps the law of its parser: seeds, and what a fuzzer once broke one
//! with.

#![expect(clippy::unwrap_used, reason = "a test that cannot read its files has to fail")]
#![expect(clippy::print_stderr, reason = "a law that fails does not know the file it was shown")]
#![expect(unreachable_pub, reason = "the laws are a library of their own to the fuzzer")]

mod laws;

use std::fs;
use std::path::Path;

#[test]
fn kept_refusals_are_understood() {
    check("failure", laws::failure::holds);
}

#[test]
fn kept_frames_end_where_they_end() {
    check("frames", laws::frames::holds);
}

#[test]
fn kept_paths_cannot_break_out() {
    check("path", laws::path::holds);
}

#[test]
fn kept_bodies_change_only_where_asked() {
    check("request", laws::request::holds);
}

#[test]
fn kept_bodies_hide_no_name() {
    check("resource", laws::resource::holds);
}

#[test]
fn kept_answers_are_seen_the_same_however_cut() {
    check("tap", laws::tap::holds);
}

#[test]
fn kept_streams_are_filtered_the_same_however_cut() {
    check("usage_filter", laws::usage_filter::holds);
}

/// Shows a law every file of its corpus; the name of a file it does not bear is on standard error.
fn check(target: &str, law: fn(&[u8])) {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fuzz/corpus").join(target);
    let mut inputs = 0;
    for entry in fs::read_dir(&folder).unwrap() {
        let path = entry.unwrap().path();
        let input = fs::read(&path).unwrap();
        eprintln!("{}", path.display());
        law(&input);
        inputs += 1;
    }
    assert!(inputs > 0, "nothing in {}", folder.display());
}
