//! `cargo xtask …`: one command per chore, the same for people and for CI.
//!
//! A chore is a plain function that returns an [`Outcome`]. Nothing here is product code, and
//! nothing but the standard library is used, so that the first chore on a fresh machine starts
//! within seconds.
#![expect(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "chores talk to the person at the terminal"
)]

mod admin;
mod advisories;
mod arrows;
mod audit;
mod bench;
mod ci;
mod companion;
mod crates;
mod demo;
mod faults;
mod fuzz;
mod http;
mod licences;
mod npm;
mod packages;
mod packaging;
mod python;
mod rows;
mod run;
mod sdk;
mod soak;
mod stamp;
mod step;
mod test;
mod tidy;
mod version;
mod web;
mod workspace;

use std::{env, error::Error, path::Path, process::ExitCode};

/// What a chore comes to; the error is a sentence for the person who started it.
pub(crate) type Outcome<T = ()> = Result<T, Box<dyn Error>>;

const HELP: &str = "\
cargo xtask <chore>

  run [-- ARGS]      build the gateway for release and start it on port 8090
  test [rust|sdk|web]
                     every test: cargo test, the official SDKs against a running gateway,
                     the web UI alone (types, style, units, build, weight) and in a browser
  test e2e [--large] [WORDS]
                     the web UI in a browser against the gateway; WORDS go to Playwright;
                     --large: the release build with 50,000 keys and a million log rows
  screenshots [--readme] [WORDS]
                     pictures of every page of the web UI, into web/screenshots;
                     --readme writes those of the README into docs/images
  api                writes the types of the API into the source of the web UI
  test long          the tests that take minutes and are left out otherwise
  test interleavings [ORDERS]
                     the concurrent core, its steps in so many orders, 2000 if not said
  demo [--check]     gateway and scripted upstream together, with keys and traffic;
                     --check runs the printed curl lines itself and ends
  tidy               the rules of the house that the compiler does not know
  audit              advisories, licences and pins of every dependency, without a network
  advisories DIR     makes the copy of the advisories from a checkout of RustSec's database
  fuzz [SECONDS]     every fuzz target in turn, a minute each; needs nightly and cargo-fuzz
  soak [MINUTES]     the release build under traffic, faults and restarts, five minutes or more
  bench [--quick] [--write] [ROUNDS]
                     what the gateway costs beside nginx, five rounds if not said;
                     --write puts it into docs/performance.md
  instructions [--write]
                     how many instructions a request costs, held to 5 % above what was
                     written down; --write writes it down anew
  rows [--write] [ROWS]
                     what a log of ten million rows costs, or of as many as are said, beside
                     the predecessor; --write puts it into docs/performance.md
  static             the program with everything in it, for any Linux of this architecture
  dist               that program in an archive, with sums and a bill of materials
  deb [check]        the Debian package; check: what becomes of a small Debian that installs it
  image [bases|build|check]
                     the container images, built and used; as root, without a container engine
  ci                 the whole pipeline: format, tidy, clippy, docs, tests, audit";

fn main() -> ExitCode {
    let words: Vec<String> = env::args().skip(1).collect();
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    match chore(&words) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("xtask: {error}");
            ExitCode::FAILURE
        }
    }
}

/// Chores that build the gateway, whose allocator needs `make` beside the C compiler by which Rust links.
const BUILDING: [&str; 10] =
    ["run", "test", "demo", "bench", "rows", "soak", "instructions", "screenshots", "api", "ci"];

fn chore(words: &[&str]) -> Outcome {
    if words.first().is_some_and(|word| BUILDING.contains(word)) {
        packages::program("make", &["make"])?;
    }
    match words {
        ["run"] => run::run(&[]),
        ["run", "--", arguments @ ..] => run::run(arguments),
        ["test"] => test::everything(),
        ["test", "rust"] => test::rust(),
        ["test", "sdk"] => test::sdk(),
        ["test", "web"] => web::test(),
        ["test", "e2e", words @ ..] => web::end_to_end(words),
        ["screenshots", words @ ..] => web::screenshots(words),
        ["api"] => web::api(),
        ["test", "long"] => test::long(),
        ["demo"] => demo::stay(),
        ["demo", "--check"] => demo::check(),
        ["test", "interleavings"] => test::interleavings(test::ORDERS),
        ["test", "interleavings", orders] => test::interleavings(orders),
        ["audit"] => audit::audit(),
        ["advisories", database] => advisories::copy(Path::new(database)),
        ["tidy"] => tidy::tidy(),
        ["fuzz"] => fuzz::fuzz(fuzz::SECONDS),
        ["fuzz", seconds] => fuzz::fuzz(seconds),
        ["soak"] => soak::soak(soak::MINUTES),
        ["soak", minutes] => soak::soak(minutes),
        ["bench", words @ ..] => bench::bench(words),
        ["instructions", words @ ..] => bench::instructions(words),
        ["rows", words @ ..] => rows::rows(words),
        ["static"] => packaging::dist::program().map(drop),
        ["dist"] => packaging::dist::dist(),
        ["deb"] => packaging::deb::build().map(drop),
        ["deb", "check"] => packaging::deb::check(),
        ["image"] => packaging::image::build().and_then(|()| packaging::image::check()),
        ["image", "bases"] => packaging::image::bases(),
        ["image", "build"] => packaging::image::build(),
        ["image", "check"] => packaging::image::check(),
        ["ci"] => ci::ci(),
        [] | ["help" | "--help" | "-h"] => {
            println!("{HELP}");
            Ok(())
        }
        unknown => Err(format!("no chore is called `{}`\n\n{HELP}", unknown.join(" ")).into()),
    }
}
