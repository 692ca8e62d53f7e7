//! Chance that can be repeated: the same seed throws the same numbers (SplitMix64).

/// Throws numbers.
#[derive(Debug, Clone)]
pub(super) struct Dice(u64);

impl Dice {
    pub(super) fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// A number below `sides`.
    pub(super) fn below(&mut self, sides: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut bits = self.0;
        bits = (bits ^ (bits >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        bits = (bits ^ (bits >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (bits ^ (bits >> 31)) % sides
    }

    /// One of these.
    pub(super) fn one_of<T: Clone>(&mut self, things: &[T]) -> T {
        let sides = u64::try_from(things.len()).unwrap();
        things[usize::try_from(self.below(sides)).unwrap()].clone()
    }
}
