//! What the house wants to hold, beside what was measured.

use super::{
    cell::{BODY_1MB, BODY_10MB, BURST, Cell, JSON_1, JSON_64, JSON_256, JSON_4096, PACED},
    measure::Sample,
    memory::Memory,
    report::Row,
    scale::Scale,
    stage::Server,
};

/// One target: a figure that is to stay at or below a bound.
struct Target {
    what: &'static str,
    bound: f64,
    measured: f64,
}

/// Writes down each target, its bound, and whether it holds.
pub(crate) fn table(rows: &[Row], memory: &[Memory], scale: &Scale) -> String {
    let mut text = "### Targets\n\n| what | at most | measured | |\n|---|--:|--:|---|".to_owned();
    for Target { what, bound, measured } in targets(rows, memory, scale) {
        let verdict = if measured <= bound { "held" } else { "missed" };
        text += &format!("\n| {what} | {bound:.2} | {measured:.2} | {verdict} |");
    }
    text
}

fn targets(rows: &[Row], memory: &[Memory], scale: &Scale) -> Vec<Target> {
    let at = |cell: &Cell| rows.iter().find(|row| row.cell == cell);
    let cpu =
        |cell: &Cell| at(cell).map_or(f64::NAN, |row| row.ratio(|sample| sample.cpu_us).median);
    let median = |cell: &Cell, server, figure: fn(&Sample) -> f64| {
        at(cell).map_or(f64::NAN, |row| row.spread(server, figure).median)
    };
    let added = |server| {
        let p50 = |sample: &Sample| sample.p50_us;
        median(JSON_1, server, p50) - median(JSON_1, Server::Direct, p50)
    };
    let age = |server| median(PACED, server, |sample| sample.age_p99_us);
    let rate = |cell| median(cell, Server::Gateway, |sample| sample.requests_per_second);
    let p99 = at(JSON_256).map_or(f64::NAN, |row| row.ratio(|sample| sample.p99_us).median);
    let held = memory.iter().find(|memory| memory.server == Server::Gateway);
    let mib = |figure: fn(&Memory) -> f64| held.map_or(f64::NAN, figure);
    [
        ("JSON at 64 connections: CPU per request, × nginx", 0.9, cpu(JSON_64)),
        (
            "JSON at 1 connection: added p50, × what nginx adds",
            1.0,
            added(Server::Gateway) / added(Server::Nginx),
        ),
        ("JSON at 256 connections: p99, × nginx", 1.2, p99),
        (
            "JSON: requests/s lost from 64 to 4,096 connections, in %",
            10.0,
            (1.0 - rate(JSON_4096) / rate(JSON_64)) * 100.0,
        ),
        ("SSE, events at once: CPU per stream, × nginx", 1.1, cpu(BURST)),
        (
            "SSE, paced: p99 of the age of events, µs above nginx",
            1000.0,
            age(Server::Gateway) - age(Server::Nginx),
        ),
        ("1 MB bodies: CPU per request, × nginx", 0.5, cpu(BODY_1MB)),
        ("10 MB bodies: CPU per request, × nginx", 0.5, cpu(BODY_10MB)),
        ("memory idle, MiB", 15.0, mib(|memory| memory.idle_mib)),
        ("memory under load, MiB", 30.0, mib(|memory| memory.under_load_mib)),
        ("memory after load, MiB", 20.0, mib(|memory| memory.after_mib)),
        ("50,000 keys: lease and settlement at p99, µs", 2.0, scale.lease_p99_ns[1] / 1e3),
        ("50,000 keys: CPU per request, × that with 50", 1.05, scale.many_keys_cpu),
        ("50,000 keys: adding them, s", 3.0, scale.import_s),
        ("50,000 keys: start to first answer, ms", 500.0, scale.start_ms[1]),
        ("nothing there: start to first answer, ms", 100.0, scale.start_ms[0]),
        ("two cores: CPU per request, × that on one", 2.0 / 1.7, 2.0 / scale.two_cores()),
    ]
    .into_iter()
    .map(|(what, bound, measured)| Target { what, bound, measured })
    .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_not_measured_is_not_held() {
        let scale = Scale::unknown();
        let table = table(&[], &[], &scale);

        assert_eq!(table.matches("| missed |").count(), 17);
        assert!(!table.contains("| held |"));
    }

    #[test]
    fn what_the_gateway_adds_is_compared_with_what_nginx_adds() {
        let sample = |p50_us| Sample { p50_us, ..Sample::default() };
        let rows = [Row { cell: JSON_1, rounds: vec![[100.0, 150.0, 140.0].map(sample)] }];

        let targets = targets(&rows, &[], &Scale::unknown());

        let added = targets.iter().find(|target| target.what.contains("added p50")).unwrap();
        assert!((added.measured - 0.8).abs() < 1e-9);
    }
}
