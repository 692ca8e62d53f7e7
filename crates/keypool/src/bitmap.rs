//! A set of small numbers (positions on the tape), made to be searched.
//!
//! Bits lie in blocks of one cache line each. All bitmaps of a pool have the same number of blocks, so
//! "in this set and not in that one" is a walk over two arrays that the compiler turns into a few vector
//! instructions per block: 50,000 keys are at most 200 blocks. Empty blocks are not even looked at: a bit of
//! a block's own says that there is something in it.

/// Positions in one block.
pub(crate) const BLOCK_BITS: usize = 512;

const WORD_BITS: usize = 64;
const BLOCK_WORDS: usize = BLOCK_BITS / WORD_BITS;

type Block = [u64; BLOCK_WORDS];

/// A set of positions below `blocks * BLOCK_BITS`.
#[derive(Debug, Clone)]
pub(crate) struct Bitmap {
    blocks: Vec<Block>,
    /// One bit per block: whether it has any.
    occupied: Vec<u64>,
    ones: usize,
}

impl Bitmap {
    pub(crate) fn new(blocks: usize) -> Self {
        Self {
            blocks: vec![[0; BLOCK_WORDS]; blocks],
            occupied: vec![0; blocks.div_ceil(WORD_BITS)],
            ones: 0,
        }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.ones == 0
    }

    /// How many positions are in the set.
    pub(crate) fn len(&self) -> usize {
        self.ones
    }

    pub(crate) fn contains(&self, position: usize) -> bool {
        self.blocks
            .get(position / BLOCK_BITS)
            .and_then(|block| block.get(position / WORD_BITS % BLOCK_WORDS))
            .is_some_and(|word| word & bit(position) != 0)
    }

    /// Puts a position in; true if it was not there.
    pub(crate) fn insert(&mut self, position: usize) -> bool {
        let Some(word) = self.word_mut(position) else {
            debug_assert!(false, "position {position} lies beyond the bitmap");
            return false;
        };
        let is_added = *word & bit(position) == 0;
        *word |= bit(position);
        self.ones += usize::from(is_added);
        let block = position / BLOCK_BITS;
        if let Some(occupied) = self.occupied.get_mut(block / WORD_BITS) {
            *occupied |= bit(block);
        }
        is_added
    }

    /// Takes a position out; true if it was there.
    pub(crate) fn remove(&mut self, position: usize) -> bool {
        let Some(word) = self.word_mut(position) else {
            return false;
        };
        let is_removed = *word & bit(position) != 0;
        *word &= !bit(position);
        self.ones -= usize::from(is_removed);
        let block = position / BLOCK_BITS;
        if self.blocks.get(block).is_some_and(is_empty)
            && let Some(occupied) = self.occupied.get_mut(block / WORD_BITS)
        {
            *occupied &= !bit(block);
        }
        is_removed
    }

    /// All positions, smallest first.
    pub(crate) fn iter(&self) -> impl Iterator<Item = usize> {
        self.blocks
            .as_flattened()
            .iter()
            .enumerate()
            .flat_map(|(index, word)| ones_of(*word).map(move |one| index * WORD_BITS + one))
    }

    /// The smallest position that is in this set, not in `mask`, and that `accept` agrees to.
    pub(crate) fn first_outside(
        &self,
        mask: Option<&Self>,
        mut accept: impl FnMut(usize) -> bool,
    ) -> Option<usize> {
        const NOTHING: Block = [0; BLOCK_WORDS];
        let occupied = self
            .occupied
            .iter()
            .enumerate()
            .flat_map(|(index, word)| ones_of(*word).map(move |one| index * WORD_BITS + one));
        for index in occupied {
            let mut open = *self.blocks.get(index)?;
            let masked = mask.and_then(|mask| mask.blocks.get(index)).unwrap_or(&NOTHING);
            for (word, mask) in open.iter_mut().zip(masked) {
                *word &= !mask;
            }
            if is_empty(&open) {
                continue;
            }
            for (word_index, word) in open.into_iter().enumerate() {
                let start = index * BLOCK_BITS + word_index * WORD_BITS;
                if let Some(one) = ones_of(word).find(|one| accept(start + one)) {
                    return Some(start + one);
                }
            }
        }
        None
    }

    /// The same set on a tape of `blocks` blocks after every position went to `destinations[position]`.
    pub(crate) fn relocated(&self, blocks: usize, destinations: &[usize]) -> Self {
        let mut relocated = Self::new(blocks);
        for destination in self.iter().filter_map(|position| destinations.get(position)) {
            relocated.insert(*destination);
        }
        relocated
    }

    fn word_mut(&mut self, position: usize) -> Option<&mut u64> {
        self.blocks
            .get_mut(position / BLOCK_BITS)
            .and_then(|block| block.get_mut(position / WORD_BITS % BLOCK_WORDS))
    }
}

fn bit(position: usize) -> u64 {
    1 << (position % WORD_BITS)
}

/// Written as one "or" over the block, which is a few vector instructions; a comparison is a call.
fn is_empty(block: &Block) -> bool {
    block.iter().fold(0, |all, word| all | word) == 0
}

/// Indices of the set bits of one word, lowest first.
fn ones_of(mut word: u64) -> impl Iterator<Item = usize> {
    std::iter::from_fn(move || {
        let lowest = (word != 0).then(|| word.trailing_zeros() as usize);
        word &= word.wrapping_sub(1);
        lowest
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_position_outside_a_mask_is_found_across_blocks() {
        let set = bitmap(&[3, 64, 511, 512, 1023]);
        let mask = bitmap(&[3, 64, 700]);

        assert_eq!(set.first_outside(None, |_| true), Some(3));
        assert_eq!(set.first_outside(Some(&mask), |_| true), Some(511));
        assert_eq!(set.first_outside(Some(&mask), |position| position > 512), Some(1023));
        assert_eq!(set.first_outside(Some(&set), |_| true), None);
    }

    #[test]
    fn a_bitmap_counts_each_position_once() {
        let mut set = bitmap(&[7, 7, 1000]);

        assert_eq!((set.len(), set.contains(7), set.contains(8)), (2, true, false));
        assert!(set.remove(7) && !set.remove(7) && set.remove(1000));
        assert!(set.is_empty());
    }

    #[test]
    fn relocation_keeps_the_members() {
        let set = bitmap(&[1, 900]);
        let mut destinations = vec![usize::MAX; 1024];
        destinations[1] = 0;
        destinations[900] = 1;

        assert_eq!(set.relocated(1, &destinations).iter().collect::<Vec<_>>(), [0, 1]);
    }

    fn bitmap(positions: &[usize]) -> Bitmap {
        let mut bitmap = Bitmap::new(2);
        for position in positions {
            bitmap.insert(*position);
        }
        bitmap
    }
}
