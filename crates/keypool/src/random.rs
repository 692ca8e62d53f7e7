//! A small generator for jitter, seeded by the caller: the same seed and calls give the same waits.

/// SplitMix64: one addition and three mixing steps per number.
#[derive(Debug)]
pub(crate) struct Random(u64);

impl Random {
    pub(crate) const fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// `millis`, moved by at most a tenth up or down, so that keys that fell together do not return together.
    pub(crate) fn jittered(&mut self, millis: u64) -> u64 {
        let tenth = millis / 10;
        let shift = self.next() % (2 * tenth + 1);
        (millis - tenth).saturating_add(shift)
    }

    const fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn jitter_stays_within_a_tenth_and_uses_all_of_it() {
        let mut random = Random::new(7);

        let waits: Vec<u64> = (0..10_000).map(|_| random.jittered(1_000)).collect();

        assert_eq!((waits.iter().min(), waits.iter().max()), (Some(&900), Some(&1_100)));
        assert_eq!(random.jittered(0), 0);
    }
}
