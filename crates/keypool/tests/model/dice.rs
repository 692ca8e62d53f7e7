//! Random inputs that can be had again: the same seed gives the same life.

use keypool::{KeyId, KeyRecord, Policy, ProbePlan, Standing, Time, Verdict};

const MODELS: [&str; 4] = ["flash", "flash-lite", "image", "pro"];
const PROJECTS: [&str; 4] = ["", "north", "south", "west"];

/// Where all chance comes from.
pub(crate) struct Dice {
    state: u64,
    keys: u64,
}

impl Dice {
    pub(crate) fn new(seed: u64, keys: u64) -> Self {
        Self { state: seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1, keys }
    }

    pub(crate) fn record(&mut self, id: KeyId, now: Time) -> KeyRecord {
        let standing = match self.below(6) {
            0 => Standing::Invalid,
            1 => Standing::Suspended,
            _ => Standing::Active,
        };
        let is_active = standing == Standing::Active;
        let at = now.plus_millis(self.below(100_000));
        KeyRecord {
            id,
            project: self.project().map(str::to_owned),
            tier: self.below(3) as u8,
            is_enabled: self.below(8) != 0,
            standing,
            since: now,
            reason: if is_active { String::new() } else { "known".to_owned() },
            probe: (!is_active).then_some(ProbePlan { at, turn: 1 }),
        }
    }

    pub(crate) fn verdict(&mut self, now: Time) -> Verdict {
        match self.below(40) {
            0..10 => Verdict::Healthy,
            10..12 => Verdict::Blameless,
            12..16 => Verdict::Cooling { wait_ms: self.below(30_000) },
            16..22 => Verdict::RateLimited,
            22..30 => Verdict::Faulty,
            30..33 => Verdict::Unreached,
            33..35 => {
                let until = now.plus_millis(self.below(7_200_000));
                Verdict::ExhaustedUntil { until }
            }
            35 => Verdict::NotEntitled,
            36 => Verdict::ModelDenied,
            37 => Verdict::NoCredit,
            38 => Verdict::Invalid,
            _ => Verdict::Suspended,
        }
    }

    pub(crate) fn id(&mut self) -> KeyId {
        KeyId(self.below(self.keys))
    }

    pub(crate) fn model(&mut self) -> &'static str {
        MODELS[self.below(MODELS.len() as u64) as usize]
    }

    pub(crate) fn project(&mut self) -> Option<&'static str> {
        match self.below(8) {
            choice @ 0..4 => Some(PROJECTS[choice as usize]),
            _ => None,
        }
    }

    /// A policy in which everything may happen within minutes.
    pub(crate) fn policy(&mut self) -> Policy {
        Policy {
            failure_threshold: self.below(5) as u32,
            cool_down_ms: 1 + self.below(600_000),
            cool_down_ms_max: 1 + self.below(5_000_000),
            rate_limit_wait_ms: 1 + self.below(90_000),
            key_concurrency_max: self.below(4) as u32,
            lease_idle_ms_max: self.below(300_000),
            check_health_after_cool_down: self.below(2) == 0,
            health_check_interval_ms: self.below(10_000),
        }
    }

    /// A number below `end`, 0 if there is none.
    pub(crate) fn below(&mut self, end: u64) -> u64 {
        self.state ^= self.state << 13;
        self.state ^= self.state >> 7;
        self.state ^= self.state << 17;
        (self.state >> 11).checked_rem(end).unwrap_or(0)
    }
}
