//! The tables of a bench, in Markdown: they are read at the terminal and in the page alike.

use super::{
    cell::Cell,
    figures::Spread,
    measure::Sample,
    memory::Memory,
    scale::{self, Scale},
    stage::Server,
    targets,
};

/// One cell with what its rounds brought, for each server in the order of [`Server::ALL`].
#[derive(Debug)]
pub(crate) struct Row {
    /// The kind of load.
    pub(crate) cell: &'static Cell,
    /// The samples of each round.
    pub(crate) rounds: Vec<[Sample; 3]>,
}

impl Row {
    /// Returns how a figure of one server is spread over the rounds.
    pub(crate) fn spread(&self, server: Server, figure: fn(&Sample) -> f64) -> Spread {
        Spread::of(self.samples(server).map(figure))
    }

    /// Returns how the gateway's figure as a multiple of nginx's in the same round is spread.
    pub(crate) fn ratio(&self, figure: fn(&Sample) -> f64) -> Spread {
        let gateway = self.samples(Server::Gateway).map(figure);
        let nginx = self.samples(Server::Nginx).map(figure);
        Spread::of(gateway.zip(nginx).map(|(gateway, nginx)| gateway / nginx))
    }

    fn samples(&self, server: Server) -> impl Iterator<Item = &Sample> {
        let place = Server::ALL.iter().position(|&other| other == server);
        self.rounds.iter().filter_map(move |samples| samples.get(place?))
    }
}

/// Writes everything down.
pub(crate) fn report(rows: &[Row], memory: &[Memory], scale: &Scale, machine: &str) -> String {
    let parts = [
        machine.to_owned(),
        targets::table(rows, memory, scale),
        cost_table(rows),
        latency_table(rows),
        age_table(rows),
        memory_table(memory),
        scale::table(scale),
    ];
    parts.join("\n\n")
}

/// What a request costs, with the spread of the rounds in brackets.
fn cost_table(rows: &[Row]) -> String {
    let mut text = "### Cost\n\n\
        | cell | server | requests/s | CPU µs per request | × nginx | errors |\n\
        |---|---|--:|--:|--:|--:|"
        .to_owned();
    for row in rows {
        for server in Server::ALL {
            let rate = row.spread(server, |sample| sample.requests_per_second);
            let cpu = row.spread(server, |sample| sample.cpu_us);
            let errors: f64 = row.samples(server).map(|sample| sample.errors).sum();
            let ratio = match server {
                Server::Direct => String::new(),
                Server::Nginx => "1".to_owned(),
                Server::Gateway => with_spread(row.ratio(|sample| sample.cpu_us), 2),
            };
            text += &format!(
                "\n| {} | {} | {:.0} | {} | {ratio} | {errors:.0} |",
                row.cell.name,
                server.name(),
                rate.median,
                with_spread(cpu, 1),
            );
        }
    }
    text
}

fn latency_table(rows: &[Row]) -> String {
    let mut text =
        "### Latency\n\nIn µs, from the first byte sent to the last one read; in an open \
        loop from the instant at which the request was due.\n\n\
        | cell | server | p50 | p90 | p99 | p99.9 |\n|---|---|--:|--:|--:|--:|"
            .to_owned();
    let figures: [fn(&Sample) -> f64; 4] = [
        |sample| sample.p50_us,
        |sample| sample.p90_us,
        |sample| sample.p99_us,
        |sample| sample.p999_us,
    ];
    for row in rows {
        for server in Server::ALL {
            text += &format!("\n| {} | {} |", row.cell.name, server.name());
            for figure in figures {
                text += &format!(" {:.0} |", row.spread(server, figure).median);
            }
        }
    }
    text
}

fn age_table(rows: &[Row]) -> String {
    let mut text =
        "### Age of events\n\nIn µs, from the upstream's write to the caller's read.\n\n\
        | cell | server | p50 | p99 |\n|---|---|--:|--:|"
            .to_owned();
    for row in rows {
        for server in Server::ALL {
            let half = row.spread(server, |sample| sample.age_p50_us).median;
            let most = row.spread(server, |sample| sample.age_p99_us).median;
            if 0.0 < most {
                text +=
                    &format!("\n| {} | {} | {half:.0} | {most:.0} |", row.cell.name, server.name());
            }
        }
    }
    text
}

fn memory_table(memory: &[Memory]) -> String {
    let mut text = "### Memory\n\nResident, in MiB; the load is JSON at 256 connections.\n\n\
        | server | idle | under load | after |\n|---|--:|--:|--:|"
        .to_owned();
    for Memory { server, idle_mib, under_load_mib, after_mib } in memory {
        text += &format!(
            "\n| {} | {idle_mib:.1} | {under_load_mib:.1} | {after_mib:.1} |",
            server.name()
        );
    }
    text
}

fn with_spread(spread: Spread, digits: usize) -> String {
    let Spread { median, least, most } = spread;
    format!("{median:.digits$} ({least:.digits$}–{most:.digits$})")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bench::cell::JSON_64;

    #[test]
    fn ratios_are_taken_within_a_round() {
        let row = row(&[[1.0, 10.0, 5.0], [1.0, 100.0, 100.0], [1.0, 20.0, 30.0]]);

        let ratio = row.ratio(|sample| sample.cpu_us);

        assert_eq!(ratio, Spread { median: 1.0, least: 0.5, most: 1.5 });
    }

    #[test]
    fn a_row_of_the_costs_names_every_server() {
        let table = cost_table(&[row(&[[2.0, 10.0, 5.0]])]);

        let last = table.lines().last().unwrap();
        assert_eq!(
            last,
            "| JSON, 64 connections | gateway | 0 | 5.0 (5.0–5.0) | 0.50 (0.50–0.50) | 0 |"
        );
        assert_eq!(table.lines().count(), 7);
    }

    fn row(cpu: &[[f64; 3]]) -> Row {
        let sample = |cpu_us| Sample { cpu_us, ..Sample::default() };
        Row { cell: JSON_64, rounds: cpu.iter().map(|round| round.map(sample)).collect() }
    }
}
