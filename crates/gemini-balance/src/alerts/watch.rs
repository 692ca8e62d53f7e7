//! When somebody is told: what holds now, what was told before, and whether it is night.
//!
//! Pure: what is seen and what time it is come in, messages come out.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use jiff::Timestamp;

use crate::alerts::message::{Kind, Message, Phase};
use crate::config::Alerts as Rules;

/// Over how long failed requests are counted, in ms.
const WINDOW_MS: u64 = 5 * 60 * 1_000;
/// Of fewer requests no percentage is made.
const REQUESTS_MIN: u64 = 20;
/// Looks that are kept; one every few seconds over the window.
const LOOKS_MAX: usize = 128;
/// Keys that are named in one message.
const NAMES_MAX: usize = 10;

/// What is seen at one moment.
#[derive(Clone, Debug, Default)]
pub struct Sight {
    /// Service keys.
    pub keys: usize,
    /// Those that may serve.
    pub keys_active: usize,
    /// Of these, those that rest for a model at least.
    pub keys_resting: usize,
    /// When the first of those is back, in ms since the epoch.
    pub back_ms: Option<i64>,
    /// The names of those that the upstream has locked or does not know.
    pub lost: BTreeSet<String>,
    /// Requests that ended since the start.
    pub requests: u64,
    /// Those of them that failed by our fault or the upstream's.
    pub failures: u64,
    /// Free room on the disk, in percent, if it is known.
    pub disk_percent: Option<u64>,
}

/// The times of one look.
#[derive(Clone, Copy, Debug)]
pub struct Now {
    /// Since the start, in ms.
    pub monotonic_ms: u64,
    /// Since the epoch, in ms.
    pub wall_ms: i64,
}

/// What was told so far.
#[derive(Debug, Default)]
pub struct Watch {
    /// What holds and was told, and when it was told last, on the monotonic clock.
    told: BTreeMap<Kind, u64>,
    /// Keys that were lost when we looked last; `None` before the first look.
    lost: Option<BTreeSet<String>>,
    looks: VecDeque<(u64, u64, u64)>,
}

impl Watch {
    /// Looks, and answers what is to be told.
    pub fn look(&mut self, sight: &Sight, rules: &Rules, now: Now) -> Vec<Message> {
        let holding = self.holding(sight, rules, now.monotonic_ms);
        // What was lost before the start is no news, whatever time of the day it is.
        self.lost.get_or_insert_with(|| sight.lost.clone());
        if is_quiet(rules, now.wall_ms) {
            return Vec::new();
        }
        let mut messages = Vec::new();
        for (kind, text) in &holding {
            let told_ms = self.told.get(kind).copied();
            let is_due =
                told_ms.is_none_or(|told_ms| told_ms + rules.repeat_ms <= now.monotonic_ms);
            if is_due {
                self.told.insert(*kind, now.monotonic_ms);
                messages.push(message(*kind, Phase::Begun, text.clone(), now.wall_ms));
            }
        }
        let over: Vec<Kind> =
            self.told.keys().copied().filter(|kind| !holding.contains_key(kind)).collect();
        for kind in over {
            // Soon after it was told, whether it is over is not certain yet: it may flutter.
            let told_ms = self.told.get(&kind).copied().unwrap_or_default();
            if told_ms + WINDOW_MS <= now.monotonic_ms {
                self.told.remove(&kind);
                messages.push(message(kind, Phase::Over, String::new(), now.wall_ms));
            }
        }
        messages.extend(self.newly_lost(sight, now.wall_ms));
        messages
    }

    /// What has been told and holds, as far as is known.
    #[must_use]
    pub fn told(&self) -> Vec<Kind> {
        self.told.keys().copied().collect()
    }

    /// What holds at this moment, in words.
    fn holding(&mut self, sight: &Sight, rules: &Rules, now_ms: u64) -> BTreeMap<Kind, String> {
        let mut holding = BTreeMap::new();
        let Sight { keys, keys_active, keys_resting, .. } = *sight;
        let free = keys_active.saturating_sub(keys_resting);
        // Who has fewer keys than that altogether knows it.
        let wanted = rules.keys_min.min(keys);
        if 0 < keys_active && free == 0 && 0 < rules.keys_min {
            let back = sight.back_ms.and_then(|ms| Timestamp::from_millisecond(ms).ok());
            let back =
                back.map_or_else(String::new, |back| format!(" The first is back at {back:.0}."));
            let text = format!(
                "Each of the {keys_active} usable service keys rests for a model at least.{back}"
            );
            holding.insert(Kind::AllCooling, text);
        } else if free < wanted {
            let text = format!(
                "{free} of {keys} service keys can serve at once; {keys_resting} rest and \
                 {} are out of use.",
                keys.saturating_sub(keys_active)
            );
            holding.insert(Kind::FewKeysLeft, text);
        }
        if let Some((failures, requests)) = self.failures(sight, rules, now_ms) {
            let text = format!("{failures} of the last {requests} requests failed.");
            holding.insert(Kind::ErrorSpike, text);
        }
        let is_short = |percent: &u64| *percent < u64::from(rules.disk_percent);
        if let Some(percent) = sight.disk_percent.filter(is_short) {
            let text = format!("{percent} % of the disk of the data directory are free.");
            holding.insert(Kind::DiskNearlyFull, text);
        }
        holding
    }

    /// Failed requests and all of them within the window, if too many failed.
    fn failures(&mut self, sight: &Sight, rules: &Rules, now_ms: u64) -> Option<(u64, u64)> {
        let oldest_ms = now_ms.saturating_sub(WINDOW_MS);
        let is_old = |look: &(u64, u64, u64)| look.0 <= oldest_ms;
        while self.looks.get(1).is_some_and(is_old) || LOOKS_MAX <= self.looks.len() {
            self.looks.pop_front();
        }
        let (_, requests, failures) =
            self.looks.front().copied().unwrap_or((now_ms, sight.requests, sight.failures));
        self.looks.push_back((now_ms, sight.requests, sight.failures));
        let requests = sight.requests.saturating_sub(requests);
        let failures = sight.failures.saturating_sub(failures);
        let percent = u64::from(rules.errors_percent);
        let is_spike =
            0 < percent && REQUESTS_MIN <= requests && requests * percent <= failures * 100;
        is_spike.then_some((failures, requests))
    }

    /// Keys that are lost since the last look in which somebody could be told.
    fn newly_lost(&mut self, sight: &Sight, wall_ms: i64) -> Option<Message> {
        let known = self.lost.replace(sight.lost.clone())?;
        let lost: Vec<&str> = sight.lost.difference(&known).map(String::as_str).collect();
        if lost.is_empty() {
            return None;
        }
        let named = lost.iter().take(NAMES_MAX).copied().collect::<Vec<_>>().join(", ");
        let more = match lost.len().saturating_sub(NAMES_MAX) {
            0 => String::new(),
            more => format!(" and {more} more"),
        };
        let text = format!(
            "The upstream has locked, or does not know: {named}{more}. They rest until a probe or \
             an admin brings them back."
        );
        Some(message(Kind::KeySuspended, Phase::Begun, text, wall_ms))
    }
}

fn message(kind: Kind, phase: Phase, text: String, at_ms: i64) -> Message {
    let title = match (kind, phase) {
        (Kind::FewKeysLeft, Phase::Begun) => "Gemini Balance: few service keys are left",
        (Kind::FewKeysLeft, Phase::Over) => "Gemini Balance: enough service keys again",
        (Kind::AllCooling, Phase::Begun) => "Gemini Balance: all service keys rest",
        (Kind::AllCooling, Phase::Over) => "Gemini Balance: service keys serve again",
        (Kind::KeySuspended, _) => "Gemini Balance: service keys were suspended",
        (Kind::ErrorSpike, Phase::Begun) => "Gemini Balance: many requests fail",
        (Kind::ErrorSpike, Phase::Over) => "Gemini Balance: requests succeed again",
        (Kind::DiskNearlyFull, Phase::Begun) => "Gemini Balance: the disk is nearly full",
        (Kind::DiskNearlyFull, Phase::Over) => "Gemini Balance: the disk has room again",
        (Kind::Test, _) => "Gemini Balance: test",
    };
    Message { kind, phase, title, text, at_ms }
}

/// Whether nobody is woken at this time of the day.
fn is_quiet(rules: &Rules, wall_ms: i64) -> bool {
    let Some(hours) = rules.quiet else { return false };
    let Ok(at) = Timestamp::from_millisecond(wall_ms) else { return false };
    let local = at.to_zoned(rules.zone.zone().clone());
    let (hour, minute) = (i32::from(local.hour()), i32::from(local.minute()));
    u32::try_from(hour * 60 + minute).is_ok_and(|minute| hours.contain(minute))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Config;

    /// 2026-11-30, 12:00 UTC.
    const NOON_MS: i64 = 1_796_040_000_000;
    const MINUTE_MS: u64 = 60 * 1_000;

    #[test]
    fn what_holds_is_told_once_and_again_after_a_while_and_when_it_is_over() {
        let mut scene = Scene::new(&[("ALERT_REPEAT_SECONDS", "3600")]);
        let resting = Sight { keys: 3, keys_active: 3, keys_resting: 3, ..Sight::default() };
        let well = Sight { keys_resting: 0, ..resting.clone() };

        assert_eq!(scene.at(0, &well), []);
        assert_eq!(scene.at(1, &resting), [(Kind::AllCooling, Phase::Begun)]);
        assert_eq!(scene.at(2, &resting), []);
        assert_eq!(scene.at(61, &resting), [(Kind::AllCooling, Phase::Begun)]);
        assert_eq!(scene.at(62, &well), [], "it may flutter");
        assert_eq!(scene.at(67, &well), [(Kind::AllCooling, Phase::Over)]);
        assert_eq!(scene.at(68, &well), []);
    }

    #[test]
    fn few_keys_are_those_that_could_serve_and_who_has_few_is_not_bothered() {
        let mut scene = Scene::new(&[("ALERT_KEYS_LEFT", "3")]);
        let sight = |keys, keys_active, keys_resting| Sight {
            keys,
            keys_active,
            keys_resting,
            ..Sight::default()
        };

        assert_eq!(scene.at(0, &sight(1, 1, 0)), []);
        assert_eq!(scene.at(1, &sight(9, 4, 1)), []);
        assert_eq!(scene.at(2, &sight(9, 4, 2)), [(Kind::FewKeysLeft, Phase::Begun)]);
        assert_eq!(scene.at(3, &sight(9, 0, 0)), [], "told already");
        let mut off = Scene::new(&[("ALERT_KEYS_LEFT", "0")]);
        assert_eq!(off.at(0, &sight(9, 1, 1)), []);
    }

    #[test]
    fn a_key_that_is_lost_is_told_by_name_and_once() {
        let mut scene = Scene::new(&[]);
        let sight = |names: &[&str]| Sight {
            keys: 9,
            keys_active: 9,
            lost: names.iter().map(|name| (*name).to_owned()).collect(),
            ..Sight::default()
        };

        assert_eq!(scene.at(0, &sight(&["old"])), [], "it was lost before the start");
        assert_eq!(scene.at(1, &sight(&["new", "old"])), [(Kind::KeySuspended, Phase::Begun)]);
        assert!(scene.last.contains("new") && !scene.last.contains("old"), "{}", scene.last);
        assert_eq!(scene.at(2, &sight(&["new"])), []);
        assert_eq!(scene.at(3, &sight(&["new", "old"])), [(Kind::KeySuspended, Phase::Begun)]);
    }

    #[test]
    fn errors_are_a_spike_only_among_enough_requests_of_the_last_minutes() {
        let mut scene = Scene::new(&[("ALERT_ERROR_PERCENT", "50")]);
        let sight = |requests, failures| Sight { requests, failures, ..Sight::default() };

        assert_eq!(scene.at(0, &sight(1_000, 900)), [], "before the first look");
        assert_eq!(scene.at(1, &sight(1_019, 919)), [], "too few");
        assert_eq!(scene.at(2, &sight(1_040, 919)), [], "19 of 40");
        assert_eq!(scene.at(3, &sight(1_042, 921)), [(Kind::ErrorSpike, Phase::Begun)]);
        assert_eq!(scene.at(20, &sight(1_142, 921)), [(Kind::ErrorSpike, Phase::Over)]);
    }

    #[test]
    fn a_disk_is_told_when_it_is_nearly_full() {
        let mut scene = Scene::new(&[]);
        let sight = |percent| Sight { disk_percent: percent, ..Sight::default() };

        assert_eq!(scene.at(0, &sight(Some(10))), []);
        assert_eq!(scene.at(1, &sight(Some(9))), [(Kind::DiskNearlyFull, Phase::Begun)]);
        assert_eq!(scene.at(9, &sight(None)), [(Kind::DiskNearlyFull, Phase::Over)]);
    }

    #[test]
    fn at_night_nobody_is_woken_and_what_still_holds_is_told_in_the_morning() {
        // 13:00 in Berlin when it is noon in UTC.
        let mut scene = Scene::new(&[
            ("ALERT_QUIET_HOURS", "12:30-14:00"),
            ("ALERT_TIME_ZONE", "Europe/Berlin"),
        ]);
        let lost = Sight { lost: ["one".to_owned()].into(), ..Sight::default() };
        let short = Sight { disk_percent: Some(1), ..lost };

        assert_eq!(scene.at(0, &Sight::default()), []);
        assert_eq!(scene.at(30, &short), []);
        let morning = [Kind::DiskNearlyFull, Kind::KeySuspended].map(|kind| (kind, Phase::Begun));
        assert_eq!(scene.at(60, &short), morning);
    }

    /// A watch under some settings, at noon.
    struct Scene {
        watch: Watch,
        rules: Rules,
        /// The text of the last message.
        last: String,
    }

    impl Scene {
        fn new(settings: &[(&str, &str)]) -> Self {
            let settings = settings.iter().map(|(name, value)| ((*name).into(), (*value).into()));
            let directory = tempfile::tempdir().unwrap();
            let rules = Config::load(settings, directory.path()).unwrap().alerts;
            Self { watch: Watch::default(), rules, last: String::new() }
        }

        fn at(&mut self, minute: u64, sight: &Sight) -> Vec<(Kind, Phase)> {
            let monotonic_ms = minute * MINUTE_MS;
            let wall_ms = NOON_MS + monotonic_ms.cast_signed();
            let messages = self.watch.look(sight, &self.rules, Now { monotonic_ms, wall_ms });
            if let Some(message) = messages.last() {
                self.last = message.text.clone();
            }
            messages.into_iter().map(|message| (message.kind, message.phase)).collect()
        }
    }
}
