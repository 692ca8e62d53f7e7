//! `cargo xtask demo`: the gateway at work without any account – in front of the scripted upstream,
//! with good and bad service keys, a user key and some traffic.

use std::{
    fs,
    process::{Command, Stdio},
};

use crate::{Outcome, admin, companion::Companion, http, step::Step, web, workspace};

const PASSWORD: &str = "look-around";
const MODEL: &str = "gemini-3.8-flash";
const TRAFFIC_REQUESTS: usize = 12;

/// The scripted upstream treats a key by the word in it.
const SERVICE_KEYS: &[&str] = &[
    "AIza-demo-one",
    "AIza-demo-two",
    "AIza-demo-three",
    "AIza-demo-429m",
    "AIza-demo-429d",
    "AIza-demo-invalid",
    "AIza-demo-suspended",
    "AIza-demo-500",
    "AIza-demo-nocredit",
];

/// Starts the demo and stays until Ctrl-C or until the gateway ends.
///
/// # Errors
///
/// If something does not build, start or answer.
pub(crate) fn stay() -> Outcome {
    let stage = Stage::build()?;
    println!("\nThe gateway: http://127.0.0.1:{}  (password: {PASSWORD})\n", stage.port);
    for line in stage.curl_lines() {
        println!("# {}\n{}\n", line.title, line.command);
    }
    println!("Ctrl-C ends both programs.");
    stage.gateway.wait()
}

/// Starts the demo, runs each printed curl line as it is, and ends.
///
/// # Errors
///
/// If a line fails or its answer is not in the caller's dialect, or as [`stay`].
pub(crate) fn check() -> Outcome {
    let stage = Stage::build()?;
    for line in stage.curl_lines() {
        let output = Command::new("sh")
            .args(["-c", &line.command])
            .stdin(Stdio::null())
            .output()
            .map_err(|error| format!("no shell: {error}"))?;
        let answer = String::from_utf8_lossy(&output.stdout);
        if !output.status.success() || !answer.contains(line.expected) {
            let complaint = String::from_utf8_lossy(&output.stderr);
            return Err(
                format!("{} failed: {}\n{answer}{complaint}", line.title, line.command).into()
            );
        }
        println!("ok: {}", line.title);
    }
    Ok(())
}

/// A running demo. The gateway ends before the upstream, since fields are dropped in their order.
struct Stage {
    port: u16,
    user_key: String,
    gateway: Companion,
    _upstream: Companion,
}

struct CurlLine {
    title: &'static str,
    command: String,
    expected: &'static str,
}

impl Stage {
    fn build() -> Outcome<Self> {
        web::build_if_possible()?;
        Step::cargo("build --workspace --bins").run()?;
        let folder = workspace::target()?.join("demo");
        if folder.exists() {
            fs::remove_dir_all(&folder)?;
        }
        fs::create_dir_all(&folder)?;

        let upstream_port = http::free_port(0)?;
        let mut upstream = Companion::start(
            Command::new(workspace::program("debug", "fake-upstream")?)
                .args(["--listen", &format!("127.0.0.1:{upstream_port}")]),
            &folder.join("fake-upstream.log"),
        )?;
        upstream.wait_until_ready(upstream_port, "/__fake/state")?;

        let port = http::free_port(8090)?;
        let upstream_url = format!("http://127.0.0.1:{upstream_port}");
        let mut gateway = Companion::start(
            Command::new(workspace::program("debug", "gemini-balance")?).current_dir(&folder).envs(
                [
                    ("HOST", "127.0.0.1"),
                    ("PORT", &port.to_string()),
                    ("PASSWORD", PASSWORD),
                    ("DATA_DIR", &folder.join("data").to_string_lossy()),
                    ("GEMINI_API_BASE_URL", &upstream_url),
                    ("OPENAI_API_BASE_URL", &format!("{upstream_url}/v1beta/openai")),
                    ("UPSTREAM_ALLOW_PRIVATE", "true"),
                ],
            ),
            &folder.join("gemini-balance.log"),
        )?;
        gateway.wait_until_ready(port, "/health")?;

        let user_key = furnish(port)?;
        Ok(Self { port, user_key, gateway, _upstream: upstream })
    }

    fn curl_lines(&self) -> [CurlLine; 5] {
        let Self { port, user_key, .. } = self;
        // Each path closes the quote, without which some shells read `?` as a pattern.
        let curl = format!("curl -sSN --fail-with-body --max-time 30 'http://127.0.0.1:{port}");
        let openai = format!("-H 'Authorization: Bearer {user_key}'");
        let gemini = format!("-H 'x-goog-api-key: {user_key}'");
        let json = "-H 'Content-Type: application/json' -d";
        let contents = gemini_body();
        let plain = openai_body("");
        let streamed = openai_body(r#","stream":true"#);
        [
            CurlLine {
                title: "OpenAI, plain",
                command: format!("{curl}/v1/chat/completions' {openai} {json} '{plain}'"),
                expected: r#""choices""#,
            },
            CurlLine {
                title: "OpenAI, streamed",
                command: format!("{curl}/v1/chat/completions' {openai} {json} '{streamed}'"),
                expected: "data: [DONE]",
            },
            CurlLine {
                title: "Gemini, plain",
                command: format!(
                    "{curl}/v1beta/models/{MODEL}:generateContent' {gemini} {json} '{contents}'"
                ),
                expected: r#""candidates""#,
            },
            CurlLine {
                title: "Gemini, streamed",
                command: format!(
                    "{curl}/v1beta/models/{MODEL}:streamGenerateContent?alt=sse' {gemini} {json} '{contents}'"
                ),
                expected: "data: {",
            },
            CurlLine {
                title: "The models, as OpenAI lists them",
                command: format!("{curl}/v1/models' {openai}"),
                expected: r#""data""#,
            },
        ]
    }
}

fn openai_body(more: &str) -> String {
    format!(r#"{{"model":"{MODEL}","messages":[{{"role":"user","content":"Hello"}}]{more}}}"#)
}

fn gemini_body() -> &'static str {
    r#"{"contents":[{"role":"user","parts":[{"text":"Hello"}]}]}"#
}

/// Adds the service keys and a user key, lets some requests run, and returns the user key.
fn furnish(port: u16) -> Outcome<String> {
    let (user_key, _) = admin::furnish(port, PASSWORD, SERVICE_KEYS)?;

    let json = "Content-Type: application/json\r\n";
    let openai = format!("{json}Authorization: Bearer {user_key}\r\n");
    let gemini = format!("{json}x-goog-api-key: {user_key}\r\n");
    let generate = format!("/v1beta/models/{MODEL}:generateContent");
    let mut answered = 0;
    for request in 0..TRAFFIC_REQUESTS {
        let answer = if request % 2 == 0 {
            http::post(port, "/v1/chat/completions", &openai, &openai_body(""))?
        } else {
            http::post(port, &generate, &gemini, gemini_body())?
        };
        answered += usize::from(answer.status == 200);
    }
    println!(
        "{answered} of {TRAFFIC_REQUESTS} requests were answered, six of the nine service keys being bad."
    );
    Ok(user_key)
}
