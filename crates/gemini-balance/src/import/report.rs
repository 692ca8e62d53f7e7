//! What became, or would become, of everything that was found: for programs, and in words.

use serde::Serialize;
use utoipa::ToSchema;

use crate::import::findings::{Hint, Source};

/// What a line is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = MovingInKind)]
pub enum ItemKind {
    /// A key that lets us into the upstream.
    ServiceKey,
    /// A key that lets a caller in.
    UserKey,
}

/// What became of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = MovingInOutcome)]
pub enum ItemOutcome {
    /// It was taken over, or would be.
    Added,
    /// It is here already, or stands earlier in the same file.
    Duplicate,
    /// It cannot be taken over.
    Invalid,
}

/// What became of one key.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
#[schema(as = MovingInItem)]
pub struct Item {
    /// What it is.
    pub kind: ItemKind,
    /// Where it stood, in words.
    pub place: String,
    /// What became of it.
    pub outcome: ItemOutcome,
    /// Its name here: of a service key its identifier, of a user key its name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// Its first and last characters.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub brief: Option<String>,
    /// Why, or what else is to be known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub remark: Option<String>,
}

/// How many of one kind.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, ToSchema)]
#[schema(as = MovingInTally)]
pub struct Tally {
    /// Taken over.
    pub added: usize,
    /// Here already.
    pub duplicate: usize,
    /// Not taken over.
    pub invalid: usize,
}

/// The whole.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
#[schema(as = MovingInReport)]
pub struct Report {
    /// Where it comes from.
    pub source: Source,
    /// Which form of it that is, in words.
    pub form: String,
    /// Whether nothing was changed yet.
    pub is_trial: bool,
    /// How many service keys.
    pub service_keys: Tally,
    /// How many user keys.
    pub user_keys: Tally,
    /// Rows of its request log that were taken over, or would be.
    pub log_rows: u64,
    /// Rows of its request log that an earlier import had taken over; unknown in a trial.
    pub known_log_rows: u64,
    /// What became of each key, in the order of the file.
    pub items: Vec<Item>,
    /// Its settings, and what does the same here.
    pub hints: Vec<Hint>,
    /// What is to be known besides, a sentence each.
    pub notes: Vec<String>,
}

/// Lines about single keys that are told at most.
const ITEMS_TOLD: usize = 200;

impl Report {
    /// In words, a line each: first the whole, then what is odd.
    #[must_use]
    pub fn lines(&self) -> Vec<String> {
        let odd: Vec<&Item> = self.items.iter().filter(|item| item.is_odd()).collect();
        let mut lines = vec![self.headline()];
        lines.extend(odd.iter().take(ITEMS_TOLD).map(|item| item.line()));
        if ITEMS_TOLD < odd.len() {
            lines.push(format!("… and {} more of this kind", odd.len() - ITEMS_TOLD));
        }
        lines.extend(self.besides());
        lines
    }

    /// As [`Report::lines`], with a line for every key.
    #[must_use]
    pub fn every_line(&self) -> Vec<String> {
        let items = self.items.iter().map(Item::line);
        std::iter::once(self.headline()).chain(items).chain(self.besides()).collect()
    }

    fn besides(&self) -> impl Iterator<Item = String> {
        let hints = self.hints.iter().map(|hint| format!("{}: {}", hint.name, hint.advice));
        self.notes.iter().cloned().chain(hints)
    }

    /// The whole in one sentence.
    #[must_use]
    pub fn headline(&self) -> String {
        let verb = if self.is_trial { "would be taken over" } else { "taken over" };
        let mut parts = vec![
            counted(self.service_keys.added as u64, "service key"),
            counted(self.user_keys.added as u64, "user key"),
        ];
        if 0 < self.log_rows + self.known_log_rows {
            parts.push(counted(self.log_rows, "log row"));
        }
        let mut sentence =
            format!("{verb} from {} ({}): {}", self.source.words(), self.form, parts.join(", "));
        for (tally, words) in [(self.service_keys, "service keys"), (self.user_keys, "user keys")] {
            if 0 < tally.duplicate {
                sentence +=
                    &format!("; {} {words} are here already", grouped(tally.duplicate as u64));
            }
            if 0 < tally.invalid {
                sentence += &format!("; {} {words} not taken", grouped(tally.invalid as u64));
            }
        }
        if 0 < self.known_log_rows {
            sentence += &format!("; {} log rows are here already", grouped(self.known_log_rows));
        }
        sentence
    }

    /// Whether everything that was found is here now, or would be.
    #[must_use]
    pub fn is_whole(&self) -> bool {
        self.service_keys.invalid == 0 && self.user_keys.invalid == 0
    }

    pub(super) fn tally(&mut self) {
        let (mut service_keys, mut user_keys) = (Tally::default(), Tally::default());
        for item in &self.items {
            let tally = match item.kind {
                ItemKind::ServiceKey => &mut service_keys,
                ItemKind::UserKey => &mut user_keys,
            };
            match item.outcome {
                ItemOutcome::Added => tally.added += 1,
                ItemOutcome::Duplicate => tally.duplicate += 1,
                ItemOutcome::Invalid => tally.invalid += 1,
            }
        }
        (self.service_keys, self.user_keys) = (service_keys, user_keys);
    }
}

impl Item {
    fn is_odd(&self) -> bool {
        self.remark.is_some() || self.outcome == ItemOutcome::Invalid
    }

    /// One key in words.
    #[must_use]
    pub fn line(&self) -> String {
        let what = match self.kind {
            ItemKind::ServiceKey => "service key",
            ItemKind::UserKey => "user key",
        };
        let outcome = match self.outcome {
            ItemOutcome::Added => "taken over",
            ItemOutcome::Duplicate => "here already",
            ItemOutcome::Invalid => "not taken",
        };
        let named = [self.name.as_deref(), self.brief.as_deref()];
        let named: Vec<&str> = named.into_iter().flatten().collect();
        let named = if named.is_empty() { String::new() } else { format!(" {}", named.join(" ")) };
        let remark = self.remark.as_deref().map(|words| format!(": {words}")).unwrap_or_default();
        format!("{}: {what}{named} {outcome}{remark}", self.place)
    }
}

fn counted(count: u64, what: &str) -> String {
    let plural = if count == 1 { "" } else { "s" };
    format!("{} {what}{plural}", grouped(count))
}

/// A number with a comma at each thousand.
pub(super) fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut grouped = String::with_capacity(digits.len() + digits.len() / 3);
    for (index, digit) in digits.chars().enumerate() {
        if 0 < index && (digits.len() - index).is_multiple_of(3) {
            grouped.push(',');
        }
        grouped.push(digit);
    }
    grouped
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_report_says_the_whole_in_one_sentence() {
        let report = Report {
            source: Source::Predecessor,
            form: "schema version 10".to_owned(),
            is_trial: false,
            service_keys: Tally { added: 10, duplicate: 1, invalid: 0 },
            user_keys: Tally { added: 1, duplicate: 0, invalid: 2 },
            log_rows: 3_823,
            known_log_rows: 0,
            items: Vec::new(),
            hints: Vec::new(),
            notes: Vec::new(),
        };

        assert_eq!(
            report.headline(),
            "taken over from the Python version of Gemini Balance (schema version 10): 10 service \
             keys, 1 user key, 3,823 log rows; 1 service keys are here already; 2 user keys not \
             taken"
        );
        assert_eq!(grouped(1_234_567), "1,234,567");
    }
}
