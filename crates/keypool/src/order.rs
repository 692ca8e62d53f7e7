//! In which order keys are chosen: lowest tier, fewest leases out, never used, least recently used.
//!
//! Keys lie on a *tape* of positions in the order of their last use: a key that is leased moves to the end
//! of the tape and leaves a hole. When the tape is full it is compacted; it is then at least as long as twice
//! the number of keys, so each compaction is paid for by as many leases as there are keys.
//! Per [`Rank`] there is one bitmap of the positions of the keys in that rank. The best key is the first
//! position, in the first rank, that is not masked out. A key that must not be chosen for any model has no rank.

use std::collections::BTreeMap;

use crate::bitmap::{BLOCK_BITS, Bitmap};
use crate::key::KeyId;

/// Empty bitmaps kept for the next rank that comes into being, so that a lease allocates nothing.
const SPARE_MAX: usize = 4;

/// What is compared before the last use; the smallest rank serves first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Rank {
    pub(crate) tier: u8,
    pub(crate) leases: u32,
    pub(crate) is_used: bool,
}

/// Where everybody went when the tape was compacted.
pub(crate) struct Relocation {
    /// Length of the tape from here on, in blocks.
    pub(crate) blocks: usize,
    /// New position by old position; beyond the tape for holes.
    pub(crate) destinations: Vec<usize>,
}

/// The tape and the ranks.
#[derive(Debug)]
pub(crate) struct Order {
    /// Who lies at a position; meaningless where `taken` has no bit.
    tape: Vec<KeyId>,
    taken: Bitmap,
    /// Never holds an empty bitmap.
    ranks: BTreeMap<Rank, Bitmap>,
    spare: Vec<Bitmap>,
    blocks: usize,
}

impl Order {
    pub(crate) fn new() -> Self {
        Self {
            tape: Vec::new(),
            taken: Bitmap::new(1),
            ranks: BTreeMap::new(),
            spare: Vec::new(),
            blocks: 1,
        }
    }

    /// Length of every bitmap over this tape, in blocks.
    pub(crate) fn blocks(&self) -> usize {
        self.blocks
    }

    /// True if [`Order::compact`] must come before the next [`Order::push`].
    pub(crate) fn is_full(&self) -> bool {
        self.tape.len() >= self.blocks * BLOCK_BITS
    }

    /// Lays a key at the end of the tape, without a rank, and tells its position.
    pub(crate) fn push(&mut self, id: KeyId) -> usize {
        let position = self.tape.len();
        self.tape.push(id);
        self.taken.insert(position);
        position
    }

    /// Takes the key at `position` off the tape.
    pub(crate) fn vacate(&mut self, position: usize, rank: Option<Rank>) {
        self.shift(position, rank, None);
        self.taken.remove(position);
    }

    /// Moves the key at `position` from one rank to another.
    pub(crate) fn shift(&mut self, position: usize, from: Option<Rank>, to: Option<Rank>) {
        if let Some(to) = to {
            let (spare, blocks) = (&mut self.spare, self.blocks);
            self.ranks
                .entry(to)
                .or_insert_with(|| spare.pop().unwrap_or_else(|| Bitmap::new(blocks)))
                .insert(position);
        }
        let Some(from) = from else { return };
        let Some(members) = self.ranks.get_mut(&from) else {
            return;
        };
        members.remove(position);
        if !members.is_empty() {
            return;
        }
        if let Some(empty) = self.ranks.remove(&from)
            && self.spare.len() < SPARE_MAX
        {
            self.spare.push(empty);
        }
    }

    /// The first key, in order, of the ranks that `is_wanted`, that is not in `mask` and that `accept` agrees to.
    pub(crate) fn first(
        &self,
        is_wanted: impl Fn(Rank) -> bool,
        mask: Option<&Bitmap>,
        accept: impl Fn(KeyId) -> bool,
    ) -> Option<KeyId> {
        self.ranks.iter().filter(|(rank, _)| is_wanted(**rank)).find_map(|(_, members)| {
            let accept = |position| self.tape.get(position).is_some_and(|id| accept(*id));
            let position = members.first_outside(mask, accept)?;
            self.tape.get(position).copied()
        })
    }

    /// Closes the holes and makes room for as many moves as there are keys.
    pub(crate) fn compact(&mut self) -> Relocation {
        let blocks = (2 * self.taken.len()).div_ceil(BLOCK_BITS).max(1);
        let mut destinations = vec![usize::MAX; self.tape.len()];
        let mut tape = Vec::with_capacity(blocks * BLOCK_BITS);
        for position in self.taken.iter() {
            if let (Some(destination), Some(id)) =
                (destinations.get_mut(position), self.tape.get(position))
            {
                *destination = tape.len();
                tape.push(*id);
            }
        }
        self.taken = self.taken.relocated(blocks, &destinations);
        for members in self.ranks.values_mut() {
            *members = members.relocated(blocks, &destinations);
        }
        self.spare.clear();
        self.tape = tape;
        self.blocks = blocks;
        Relocation { blocks, destinations }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const UNUSED: Rank = Rank { tier: 0, leases: 0, is_used: false };
    const USED: Rank = Rank { tier: 0, leases: 0, is_used: true };
    const PAID: Rank = Rank { tier: 1, leases: 0, is_used: false };

    #[test]
    fn ranks_come_first_and_the_tape_decides_among_equals() {
        let order = order(&[(1, PAID), (2, USED), (3, UNUSED), (4, UNUSED)]);

        assert_eq!(order.first(|_| true, None, |_| true), Some(KeyId(3)));
        assert_eq!(order.first(|_| true, None, |id| id != KeyId(3)), Some(KeyId(4)));
        assert_eq!(order.first(|rank| rank.is_used, None, |_| true), Some(KeyId(2)));
        assert_eq!(order.first(|rank| rank.tier > 0, None, |_| true), Some(KeyId(1)));
    }

    #[test]
    fn compaction_closes_holes_and_keeps_the_order() {
        let mut order = order(&[(1, USED), (2, USED), (3, USED)]);
        order.vacate(0, Some(USED));
        let end = order.push(KeyId(1));
        order.shift(end, None, Some(USED));

        let relocation = order.compact();

        assert_eq!(relocation.destinations, [usize::MAX, 0, 1, 2]);
        assert_eq!(order.first(|_| true, None, |_| true), Some(KeyId(2)));
        assert_eq!(order.first(|_| true, None, |id| id.0 == 1), Some(KeyId(1)));
    }

    #[test]
    fn a_rank_without_members_is_put_away() {
        let mut order = order(&[(1, UNUSED)]);

        order.shift(0, Some(UNUSED), Some(USED));
        order.shift(0, Some(USED), None);

        assert!(order.ranks.is_empty());
        assert_eq!(order.spare.len(), 2);
    }

    fn order(keys: &[(u64, Rank)]) -> Order {
        let mut order = Order::new();
        for (id, rank) in keys {
            let position = order.push(KeyId(*id));
            order.shift(position, None, Some(*rank));
        }
        order
    }
}
