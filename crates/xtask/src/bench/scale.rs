//! What grows, and what must not: many keys, starts, two cores.

use std::{
    fs,
    path::Path,
    process::{Command, Stdio},
    thread,
    time::{Duration, Instant},
};

use super::{
    Plan,
    cell::JSON_64,
    figures::{Spread, number},
    measure::{self, Sample},
    stage::{self, Core, Gateway, Server, Stage},
};
use crate::{Outcome, http, workspace};

const FEW_KEYS: usize = 50;
const MANY_KEYS: usize = 50_000;
/// Often enough for a start of some tens of milliseconds.
const LOOK_EVERY: Duration = Duration::from_millis(1);
const START_WAIT_MAX: Duration = Duration::from_secs(30);

/// What was found.
#[derive(Debug)]
pub(crate) struct Scale {
    /// Lease and settlement in the pool by itself, in nanoseconds at p99: with few keys and with many.
    pub(crate) lease_p99_ns: [f64; 2],
    /// From the start of the process to its first answer, in ms: nothing there yet, many keys there.
    pub(crate) start_ms: [f64; 2],
    /// Adding many keys by one call of the API, in seconds.
    pub(crate) import_s: f64,
    /// Throughput with many keys, as a multiple of that with few.
    pub(crate) many_keys_rate: f64,
    /// CPU time per request likewise.
    pub(crate) many_keys_cpu: f64,
    /// CPU time per request of one worker on one core, and of two on two, in µs.
    pub(crate) cpu_us_by_cores: [f64; 2],
}

impl Scale {
    /// Before anything was measured.
    #[cfg(test)]
    pub(crate) fn unknown() -> Self {
        Self {
            lease_p99_ns: [f64::NAN; 2],
            start_ms: [f64::NAN; 2],
            import_s: f64::NAN,
            many_keys_rate: f64::NAN,
            many_keys_cpu: f64::NAN,
            cpu_us_by_cores: [f64::NAN; 2],
        }
    }

    /// Returns how many times the throughput of one core two would bring, if nothing else ran on them.
    pub(crate) fn two_cores(&self) -> f64 {
        let [one, two] = self.cpu_us_by_cores;
        2.0 * one / two
    }
}

/// Measures, beside the upstream of a stage.
///
/// # Errors
///
/// If a program does not start or answer.
pub(crate) fn measure(stage: &Stage, folder: &Path, plan: Plan) -> Outcome<Scale> {
    eprintln!("lease and settlement");
    let lease_p99_ns = leases()?;
    let upstream = stage.port(Server::Direct);
    let empty = starts(&folder.join("empty"), upstream, plan, true)?;

    eprintln!("{MANY_KEYS} keys");
    let many_folder = folder.join("many");
    let many = start(&many_folder, upstream, MANY_KEYS, 1)?;
    let few = start(&folder.join("few"), upstream, FEW_KEYS, 1)?;
    let [rates, cpus] = compare([&few, &many], plan)?;
    let import_s = many.keys_took().as_secs_f64();
    drop(many);
    let furnished = starts(&many_folder, upstream, plan, false)?;

    eprintln!("two cores");
    let pair = start(&folder.join("pair"), upstream, FEW_KEYS, 2)?;
    let [_, by_cores] = compare([&few, &pair], plan)?;
    Ok(Scale {
        lease_p99_ns,
        start_ms: [empty, furnished],
        import_s,
        many_keys_rate: ratio(rates),
        many_keys_cpu: ratio(cpus),
        cpu_us_by_cores: by_cores,
    })
}

fn ratio([base, other]: [f64; 2]) -> f64 {
    other / base
}

fn start(folder: &Path, upstream_port: u16, keys: usize, workers: u8) -> Outcome<Gateway> {
    fs::create_dir_all(folder)?;
    Gateway::start(command(workers)?, folder, upstream_port, keys)
}

fn command(workers: u8) -> Outcome<Command> {
    let core = if workers == 1 { Core::Measured } else { Core::Both };
    let mut command = stage::pinned(core, &workspace::program("release", "gemini-balance")?);
    command.env("WORKERS", workers.to_string());
    Ok(command)
}

/// Asks two gateways in turn; the medians of requests/s, and of CPU time per request.
fn compare(gateways: [&Gateway; 2], plan: Plan) -> Outcome<[[f64; 2]; 2]> {
    let mut rounds = [Vec::new(), Vec::new()];
    for _ in 0..plan.rounds {
        for (gateway, samples) in gateways.into_iter().zip(&mut rounds) {
            samples.push(measure::on(
                gateway.port(),
                gateway.user_key(),
                &gateway.processes()?,
                JSON_64,
                plan.seconds,
            )?);
        }
    }
    let median = |figure: fn(&Sample) -> f64| {
        rounds.each_ref().map(|samples| Spread::of(samples.iter().map(figure)).median)
    };
    Ok([median(|sample| sample.requests_per_second), median(|sample| sample.cpu_us)])
}

/// The median time from the start of the process to its first answer; `is_fresh` empties the folder
/// before each start.
fn starts(folder: &Path, upstream_port: u16, plan: Plan, is_fresh: bool) -> Outcome<f64> {
    let mut times = Vec::new();
    for _ in 0..plan.rounds.max(3) {
        if is_fresh && folder.exists() {
            fs::remove_dir_all(folder)?;
        }
        fs::create_dir_all(folder)?;
        let port = http::free_port(0)?;
        let began = Instant::now();
        let gateway = stage::launch_gateway(command(1)?, folder, upstream_port, port)?;
        while http::get(port, "/ready").is_err() {
            if START_WAIT_MAX < began.elapsed() {
                return Err("the gateway does not start".into());
            }
            thread::sleep(LOOK_EVERY);
        }
        times.push(began.elapsed().as_secs_f64() * 1e3);
        drop(gateway);
    }
    Ok(Spread::of(times).median)
}

/// Runs the pool by itself.
fn leases() -> Outcome<[f64; 2]> {
    let output =
        stage::pinned(Core::Measured, &workspace::program("release", "examples/lease_cost")?)
            .stderr(Stdio::inherit())
            .output()?;
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let figures: Vec<f64> = text.lines().filter_map(|line| number(line, "p99_ns")).collect();
    <[f64; 2]>::try_from(figures).map_err(|_| format!("not understood: {text}").into())
}

/// The table of the report.
pub(crate) fn table(scale: &Scale) -> String {
    let [few_ns, many_ns] = scale.lease_p99_ns;
    let [empty_ms, furnished_ms] = scale.start_ms;
    let [one_us, two_us] = scale.cpu_us_by_cores;
    format!(
        "### Many keys, starts, two cores\n\n\
        | what | figure |\n|---|--:|\n\
        | lease and settlement at p99, {FEW_KEYS} keys | {:.2} µs |\n\
        | lease and settlement at p99, {MANY_KEYS} keys | {:.2} µs |\n\
        | adding {MANY_KEYS} keys by one call | {:.2} s |\n\
        | requests/s with {MANY_KEYS} keys, × those with {FEW_KEYS} | {:.2} |\n\
        | CPU per request with {MANY_KEYS} keys, × that with {FEW_KEYS} | {:.2} |\n\
        | start to first answer, nothing there | {empty_ms:.0} ms |\n\
        | start to first answer, {MANY_KEYS} keys there | {furnished_ms:.0} ms |\n\
        | CPU per request, one worker on a core | {one_us:.1} µs |\n\
        | CPU per request, two workers on two cores | {two_us:.1} µs |\n\
        | so two cores carry, × one | {:.2} |",
        few_ns / 1e3,
        many_ns / 1e3,
        scale.import_s,
        scale.many_keys_rate,
        scale.many_keys_cpu,
        scale.two_cores(),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_cores_that_cost_no_more_per_request_carry_twice_as_much() {
        let scale = Scale { cpu_us_by_cores: [30.0, 30.0], ..Scale::unknown() };
        assert!((scale.two_cores() - 2.0).abs() < 1e-9);
        let scale = Scale { cpu_us_by_cores: [30.0, 40.0], ..Scale::unknown() };
        assert!((scale.two_cores() - 1.5).abs() < 1e-9);
    }
}
