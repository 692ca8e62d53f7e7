//! How often each length of time occurred, in cells that grow with the length.
//!
//! Always true: up to 15 ms a cell is exact, above it a cell is an eighth of an octave wide, so a percentile is at most
//! one part in sixteen off; a histogram has at most 240 cells, whatever it has counted.

use crate::store::error::StoreError;

/// Below this, a cell holds one value.
const EXACT: u32 = 16;
/// Parts of an octave.
const PARTS: u32 = 8;

/// Counts by length of time in ms.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Histogram {
    /// As far as the last that has counted anything.
    cells: Vec<u64>,
}

impl Histogram {
    /// Counts one length.
    pub(super) fn add(&mut self, length_ms: u32) {
        self.count(cell(length_ms), 1);
    }

    /// Adds all that another histogram counted, as it was encoded. If that fails, a part may have been added.
    pub(super) fn merge(&mut self, encoded: &[u8]) -> Result<(), StoreError> {
        let damaged = || StoreError::Corrupt("a histogram cannot be read".to_owned());
        let mut bytes = encoded.iter().copied();
        let mut cell = 0_u8;
        while let Some(distance) = bytes.next() {
            cell = cell.checked_add(distance).ok_or_else(damaged)?;
            let mut count = 0_u64;
            for shift in (0..u64::BITS).step_by(7) {
                let byte = bytes.next().ok_or_else(damaged)?;
                count |= u64::from(byte & 0x7f) << shift;
                if byte < 0x80 {
                    break;
                }
            }
            self.count(cell, count);
        }
        Ok(())
    }

    /// The length that `percent` of all do not exceed, in ms; `None` if nothing was counted.
    pub(super) fn percentile(&self, percent: u64) -> Option<u32> {
        let total: u128 = self.cells.iter().map(|count| u128::from(*count)).sum();
        let rank = (total * u128::from(percent)).div_ceil(100).max(1);
        let mut seen = 0;
        (0..=u8::MAX).zip(&self.cells).find_map(|(cell, count)| {
            seen += u128::from(*count);
            (rank <= seen).then(|| middle(cell))
        })
    }

    /// For each cell that has counted, in order, its distance from the one before, and its count as a little-endian
    /// base-128 number.
    pub(super) fn encode(&self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(self.cells.len() * 3);
        let mut previous = 0;
        for (cell, count) in (0..=u8::MAX).zip(&self.cells).filter(|(_, count)| 0 < **count) {
            bytes.push(cell - previous);
            previous = cell;
            let mut rest = *count;
            while 0x80 <= rest {
                bytes.push((rest & 0x7f) as u8 | 0x80);
                rest >>= 7;
            }
            bytes.push((rest & 0x7f) as u8);
        }
        bytes
    }

    fn count(&mut self, cell: u8, count: u64) {
        let cell = usize::from(cell);
        if self.cells.len() <= cell {
            self.cells.resize(cell + 1, 0);
        }
        if let Some(sum) = self.cells.get_mut(cell) {
            *sum = sum.saturating_add(count);
        }
    }
}

fn cell(length_ms: u32) -> u8 {
    let cell = if length_ms < EXACT {
        length_ms
    } else {
        let octave = length_ms.ilog2();
        EXACT + (octave - EXACT.ilog2()) * PARTS + (length_ms >> (octave - PARTS.ilog2())) % PARTS
    };
    u8::try_from(cell).unwrap_or(u8::MAX)
}

/// The value in the middle of a cell.
fn middle(cell: u8) -> u32 {
    let cell = u32::from(cell);
    if cell < EXACT {
        return cell;
    }
    let octave = EXACT.ilog2() + (cell - EXACT) / PARTS;
    let part_log = octave.min(31) - PARTS.ilog2();
    let low = (PARTS + (cell - EXACT) % PARTS) << part_log;
    low + (1 << part_log) / 2
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn a_percentile_is_at_most_a_sixteenth_off(
            mut lengths in prop::collection::vec(any::<u32>().prop_flat_map(|max| 0..=max), 1..200),
            percent in 1_usize..=100,
        ) {
            let mut histogram = Histogram::default();
            lengths.iter().for_each(|length| histogram.add(*length));

            let found = f64::from(histogram.percentile(percent as u64).unwrap());

            lengths.sort_unstable();
            let rank = (lengths.len() * percent).div_ceil(100).max(1);
            let exact = f64::from(lengths[rank - 1]);
            prop_assert!((found - exact).abs() <= exact / 16.0, "{found} for {exact}");
        }

        #[test]
        fn what_is_encoded_is_merged(counts in prop::collection::btree_map(0_u8..240, 1..u64::MAX, 0..240)) {
            let mut histogram = Histogram::default();
            counts.iter().for_each(|(cell, count)| histogram.count(*cell, *count));
            let mut merged = Histogram::default();

            merged.merge(&histogram.encode()).unwrap();

            prop_assert_eq!(merged, histogram);
        }

        #[test]
        fn any_bytes_are_decoded_or_refused(bytes in prop::collection::vec(any::<u8>(), 0..64)) {
            let mut histogram = Histogram::default();
            if histogram.merge(&bytes).is_ok() {
                histogram.percentile(50);
            }
        }
    }

    #[test]
    fn nothing_counted_has_no_percentile() {
        assert_eq!(Histogram::default().percentile(50), None);
    }

    #[test]
    fn histograms_add_up() {
        let mut one = Histogram::default();
        let mut other = Histogram::default();
        one.add(5);
        other.add(5);
        other.add(1_000_000);

        one.merge(&other.encode()).unwrap();

        assert_eq!(one.percentile(60), Some(5));
        assert!(900_000 < one.percentile(67).unwrap());
    }
}
