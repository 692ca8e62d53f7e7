//! What the files of packaging say must be what the rest of the repository says.

use std::fs;

use crate::{Outcome, workspace};

/// Returns where the Dockerfiles, the compose files and the unit have fallen behind.
///
/// # Errors
///
/// If a file cannot be read.
pub(crate) fn findings() -> Outcome<Vec<String>> {
    let read = |file: &str| {
        fs::read_to_string(workspace::root().join(file)).map_err(|error| format!("{file}: {error}"))
    };
    let mut findings = Vec::new();
    let toolchain = read("rust-toolchain.toml")?;
    let channel = quoted(&toolchain, "channel = ").ok_or("rust-toolchain.toml has no channel")?;
    for file in ["Dockerfile", "packaging/demo/Dockerfile"] {
        let dockerfile = read(file)?;
        for expected in [format!("rust:{channel}-slim-"), format!("RUSTUP_TOOLCHAIN={channel}\n")] {
            if !dockerfile.contains(&expected) {
                findings.push(format!("{file}: does not say {}", expected.trim()));
            }
        }
    }
    let package = read("web/package.json")?;
    findings.extend(too_old_a_node(&read("Dockerfile")?, &package));
    let settings = read(".env.example")?;
    let drain = settings.lines().find_map(|line| line.strip_prefix("# DRAIN_SECONDS="));
    let drain: u64 = drain.ok_or(".env.example has no DRAIN_SECONDS")?.parse()?;
    let compose = read("docker-compose.yml")?;
    findings.extend(too_hasty("docker-compose.yml", &compose, "stop_grace_period: ", drain));
    findings.extend(unknown("docker-compose.yml", &compose, &settings));
    let demo = read("docker-compose.demo.yml")?;
    findings.extend(unknown("docker-compose.demo.yml", &demo, &settings));
    let unit = read("packaging/gemini-balance.service")?;
    findings.extend(too_hasty("packaging/gemini-balance.service", &unit, "TimeoutStopSec=", drain));
    Ok(findings)
}

fn quoted<'a>(text: &'a str, before: &str) -> Option<&'a str> {
    text.split_once(before)?.1.split('"').nth(1)
}

/// The Node of the image must be one that the web UI permits.
fn too_old_a_node(dockerfile: &str, package: &str) -> Option<String> {
    let number = |text: &str, before: &str| -> Option<u32> {
        text.split_once(before)?.1.split(|it: char| !it.is_ascii_digit()).next()?.parse().ok()
    };
    let image = number(dockerfile, "/node:");
    let wanted = number(package, "\"node\": \">=");
    let is_new = image.zip(wanted).is_some_and(|(image, wanted)| wanted <= image);
    (!is_new).then(|| "Dockerfile: its Node is older than web/package.json wants".to_owned())
}

/// Whoever stops the gateway must wait for the drain and ten seconds for what is written afterwards.
fn too_hasty(file: &str, text: &str, name: &str, drain: u64) -> Option<String> {
    let value = text.lines().find_map(|line| line.trim().strip_prefix(name));
    let seconds = value.and_then(|value| value.trim_end_matches('s').parse::<u64>().ok());
    let is_patient = seconds.is_some_and(|seconds| drain + 10 <= seconds);
    (!is_patient).then(|| format!("{file}: `{name}` is not {drain} s and ten more"))
}

/// Settings of the lists `environment` that there are not.
fn unknown(file: &str, compose: &str, settings: &str) -> Vec<String> {
    let names = compose.lines().filter_map(|line| line.trim().strip_prefix("- "));
    let names = names.filter_map(|it| it.split('=').next());
    let is_name = |name: &&str| {
        3 < name.len() && name.bytes().all(|byte| byte == b'_' || byte.is_ascii_uppercase())
    };
    names
        .filter(is_name)
        .filter(|name| !settings.contains(&format!("\n# {name}=")))
        .map(|name| format!("{file}: there is no setting {name}"))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whoever_stops_the_gateway_too_soon_is_found() {
        for (text, is_found) in [
            ("    stop_grace_period: 40s\n", false),
            ("    stop_grace_period: 30s\n", true),
            ("    restart: always\n", true),
        ] {
            let found = too_hasty("a.yml", text, "stop_grace_period: ", 25);
            assert_eq!(found.is_some(), is_found, "{text}");
        }
    }

    #[test]
    fn a_node_that_the_web_ui_does_not_permit_is_found() {
        for (image, is_found) in [("24-bookworm", false), ("20.1", false), ("18", true), ("", true)]
        {
            let dockerfile = format!("ARG NODE_IMAGE=docker.io/library/node:{image}\n");
            let found = too_old_a_node(&dockerfile, "\"engines\": {\n\"node\": \">=20.19\"\n}");
            assert_eq!(found.is_some(), is_found, "{image}");
        }
    }

    #[test]
    fn a_setting_that_there_is_not_is_found() {
        let compose = "environment:\n  - PASSWORD\n  - PASWORD=x\nports:\n  - \"8090:8090\"\n  - data:/data\n";
        assert_eq!(
            unknown("a.yml", compose, "# x\n# PASSWORD=\n"),
            ["a.yml: there is no setting PASWORD"]
        );
    }
}
