//! `cargo xtask image`: builds the images of the Dockerfiles and uses the result: small, nothing in it
//! but the program, read-only root, no privilege, healthy by its own check, data kept over a sudden
//! end and over an update, enough memory within the limit that `docker-compose.yml` sets.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
    thread,
};

use super::{
    bases, buildah::Buildah, dist, folder, is_root, megabytes, memory::Limit, output, remove,
    sha256, stage::Stage,
};
use crate::{Outcome, admin, companion::Companion, http, step::Step, workspace};

const GATEWAY: &str = "localhost/gemini-balance:latest";
const UPDATE: &str = "localhost/gemini-balance:next";
const UPSTREAM: &str = "localhost/gemini-balance-demo-upstream:latest";
const SIZE_MAX: u64 = 40_000_000;
const MODEL: &str = "gemini-3.8-flash";
/// Bodies at once for which the gateway has room in `BODY_BUDGET_MB`, and some more.
const LARGE_BODIES: usize = 8;
const LARGE_BODY_BYTES: usize = 60 << 20;

/// Sees that the base images are there.
///
/// # Errors
///
/// If one is not and cannot be made.
pub(crate) fn bases() -> Outcome {
    as_root()?;
    bases::provide(&Buildah::new()?)
}

/// Builds both images.
///
/// # Errors
///
/// If one does not build.
pub(crate) fn build() -> Outcome {
    bases()?;
    let buildah = Buildah::new()?;
    for (file, image) in [("Dockerfile", GATEWAY), ("packaging/demo/Dockerfile", UPSTREAM)] {
        buildah
            .step("build --isolation chroot --format docker --pull=never --timestamp")
            .argument(dist::epoch().to_string())
            .words("--file")
            .argument(workspace::root().join(file))
            .words("--tag")
            .argument(image)
            .argument(workspace::root())
            .run()?;
    }
    Ok(())
}

/// Uses the images that were built.
///
/// # Errors
///
/// If something does not hold.
pub(crate) fn check() -> Outcome {
    as_root()?;
    let buildah = Buildah::new()?;
    let scene = Scene::new(&buildah)?;
    scene.has_nothing_but_the_program()?;
    let user_key = scene.starts_without_privilege_and_serves()?;
    scene.has_its_data_after_a_sudden_end(&user_key)?;
    scene.has_its_data_after_an_update(&user_key)?;
    println!("image: 4 passed, 0 failed");
    Ok(())
}

fn as_root() -> Outcome {
    if is_root() { Ok(()) } else { Err("images are built and run by root".into()) }
}

/// Both images set out, the upstream running, an empty volume.
struct Scene<'a> {
    buildah: &'a Buildah,
    gateway: Stage<'a>,
    // In this order: the program ends before its root is taken down.
    _upstream: Companion,
    _upstream_stage: Stage<'a>,
    upstream_url: String,
    folder: PathBuf,
    volume: PathBuf,
    port: u16,
}

impl<'a> Scene<'a> {
    fn new(buildah: &'a Buildah) -> Outcome<Self> {
        let folder = folder()?.join("image");
        remove(&folder)?;
        fs::create_dir_all(folder.join("nothing"))?;
        let gateway = Stage::new(buildah, GATEWAY)?;
        // A new volume begins as the folder of the image: with its owner and its mode.
        let volume = folder.join("data");
        let of_image = gateway.root.join("data");
        Step::new("cp").words("--archive").argument(of_image).argument(&volume).run()?;

        let stage = Stage::new(buildah, UPSTREAM)?;
        let port = http::free_port(0)?;
        let listen = format!("127.0.0.1:{port}");
        let words = ["--listen", &listen, "--no-record"];
        let program = stage.program(&words, &folder.join("nothing"), &[])?;
        let mut upstream = Companion::start(&program, &folder.join("upstream.log"))?;
        upstream.wait_until_ready(port, "/__fake/state")?;
        Ok(Self {
            buildah,
            gateway,
            _upstream: upstream,
            _upstream_stage: stage,
            upstream_url: format!("http://{listen}"),
            folder,
            volume,
            port: http::free_port(0)?,
        })
    }

    fn has_nothing_but_the_program(&self) -> Outcome {
        let files = self.gateway.files()?;
        let size = files.iter().map(|(_, size)| size).sum();
        let program = Path::new("usr/local/bin/gemini-balance");
        let licences = Path::new("usr/local/share/doc/gemini-balance").join(dist::LICENCES);
        let is_alone = matches!(
            files.as_slice(),
            [(first, _), (second, _)] if first == program && *second == licences
        );
        ensure(is_alone, || format!("the image holds {files:?}"))?;
        ensure(size <= SIZE_MAX, || format!("the image is {} large", megabytes(size)))?;
        let sum = sha256(&self.gateway.root.join(program))?;
        println!("the image is {} large; its program has SHA-256 {sum}", megabytes(size));
        Ok(())
    }

    fn starts_without_privilege_and_serves(&self) -> Outcome<String> {
        ensure(!self.is_healthy(&self.gateway)?, || "healthy before its start".to_owned())?;
        let limit = memory_limit()?;
        let group = Limit::new(limit);
        let (gateway, log) = self.start(&self.gateway, group.as_ref())?;
        ensure(self.is_healthy(&self.gateway)?, || "not healthy after its start".to_owned())?;
        let status = fs::read_to_string(format!("/proc/{}/status", gateway.id()))?;
        let fact = |name: &str| {
            let line = status.lines().find_map(|line| line.strip_prefix(name));
            line.unwrap_or_default().split_whitespace().collect::<Vec<_>>().join(" ")
        };
        let user = self.gateway.user();
        let (users, powers) = (fact("Uid:"), fact("CapEff:"));
        ensure(users == [user; 4].join(" "), || format!("it runs as {users}"))?;
        ensure(powers.trim_matches('0').is_empty(), || format!("it may {powers}"))?;
        let mounts = fs::read_to_string(format!("/proc/{}/mountinfo", gateway.id()))?;
        let is_read_only = |line: &str| {
            let fields: Vec<_> = line.split(' ').collect();
            matches!(fields.as_slice(), [_, _, _, _, "/", options, ..] if options.starts_with("ro"))
        };
        ensure(mounts.lines().any(is_read_only), || format!("its root is writable:\n{mounts}"))?;

        let log = fs::read_to_string(log)?;
        let password = log.split_once("Admin password: ").map(|(_, rest)| rest);
        let password =
            password.and_then(|rest| rest.lines().next()).ok_or("it shows no password")?;
        let (user_key, _) =
            admin::furnish(self.port, password.trim(), &["AIza-first", "AIza-second"])?;
        self.call(&user_key)?;
        self.stays_within(&user_key, limit, group.as_ref())?;
        kill("KILL", &gateway)?;
        Ok(user_key)
    }

    /// More bodies at once than there is room for, and it still serves.
    fn stays_within(&self, user_key: &str, limit: u64, group: Option<&Limit>) -> Outcome {
        let body = call_body(&"x".repeat(LARGE_BODY_BYTES));
        let headers = headers(user_key);
        let answered = thread::scope(|scope| {
            let ask = || http::post(self.port, "/v1/chat/completions", &headers, &body);
            let asking: Vec<_> = (0..LARGE_BODIES)
                .map(|_| scope.spawn(move || ask().is_ok_and(|answer| answer.status == 200)))
                .collect();
            asking.into_iter().filter_map(|it| it.join().ok()).filter(|it| *it).count()
        });
        self.call(user_key)?;
        ensure(answered != 0, || "no large body was let through".to_owned())?;
        let Some(group) = group else {
            println!("NOT CHECKED: the memory limit, since this system lets us set none");
            return Ok(());
        };
        println!(
            "{answered} of {LARGE_BODIES} bodies of {} at once were let through; at most {} of {} were in use",
            megabytes(LARGE_BODY_BYTES as u64),
            megabytes(group.peak()?),
            megabytes(limit),
        );
        Ok(())
    }

    fn has_its_data_after_a_sudden_end(&self, user_key: &str) -> Outcome {
        let (gateway, _) = self.start(&self.gateway, None)?;
        self.call(user_key)?;
        // As an engine stops it.
        kill("TERM", &gateway)?;
        gateway.wait()
    }

    fn has_its_data_after_an_update(&self, user_key: &str) -> Outcome {
        let container = self.buildah.ask(&["from", "--pull=never", GATEWAY])?;
        self.buildah.ask(&["config", "--label", "update=yes", &container])?;
        self.buildah
            .ask(&["commit", "--quiet", "--rm", "--format", "docker", &container, UPDATE])?;
        let updated = Stage::new(self.buildah, UPDATE)?;
        let (gateway, _) = self.start(&updated, None)?;
        ensure(self.is_healthy(&updated)?, || "not healthy after the update".to_owned())?;
        self.call(user_key)?;
        kill("TERM", &gateway)?;
        gateway.wait()
    }

    fn start(&self, stage: &Stage<'_>, group: Option<&Limit>) -> Outcome<(Companion, PathBuf)> {
        let port = self.port.to_string();
        let openai = format!("{}/v1beta/openai", self.upstream_url);
        let settings = [
            ("PORT", port.as_str()),
            ("GEMINI_API_BASE_URL", &self.upstream_url),
            ("OPENAI_API_BASE_URL", &openai),
            ("UPSTREAM_ALLOW_PRIVATE", "true"),
        ];
        let program = stage.program(&[], &self.volume, &settings)?;
        let program = match group {
            Some(group) => group.hold(&program),
            None => program,
        };
        let log = self.folder.join("gateway.log");
        let mut gateway = Companion::start(&program, &log)?;
        gateway.wait_until_ready(self.port, "/health")?;
        Ok((gateway, log))
    }

    fn is_healthy(&self, stage: &Stage<'_>) -> Outcome<bool> {
        stage.is_healthy(&self.volume, &[("PORT", &self.port.to_string())])
    }

    fn call(&self, user_key: &str) -> Outcome {
        let answer =
            http::post(self.port, "/v1/chat/completions", &headers(user_key), &call_body("Hello"))?;
        let is_answered = answer.status == 200 && answer.body.contains("\"choices\"");
        ensure(is_answered, || format!("answered {}: {}", answer.status, answer.body))
    }
}

fn headers(user_key: &str) -> String {
    format!("Content-Type: application/json\r\nAuthorization: Bearer {user_key}\r\n")
}

fn call_body(text: &str) -> String {
    format!(r#"{{"model":"{MODEL}","messages":[{{"role":"user","content":"{text}"}}]}}"#)
}

/// `mem_limit` of the gateway in `docker-compose.yml`, in bytes.
fn memory_limit() -> Outcome<u64> {
    let compose = fs::read_to_string(workspace::root().join("docker-compose.yml"))?;
    let mut lines = compose.lines();
    let limit = lines.find_map(|line| line.trim().strip_prefix("mem_limit: ")?.strip_suffix('m'));
    Ok(limit.ok_or("docker-compose.yml sets no mem_limit")?.parse::<u64>()? << 20)
}

fn kill(signal: &str, companion: &Companion) -> Outcome {
    output(Command::new("kill").args(["-s", signal, &companion.id().to_string()])).map(drop)
}

fn ensure(holds: bool, otherwise: impl FnOnce() -> String) -> Outcome {
    if holds { Ok(()) } else { Err(otherwise().into()) }
}
