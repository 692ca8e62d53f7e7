//! The sums of many subjects in few bytes.
//!
//! A sheet is the number of its keys, the keys as distances in ascending order, and the eight sums, each as a column: its
//! length in bytes and one number per key. All numbers are little-endian in base 128; a column of nothing but noughts has
//! no bytes. Always true: a reader of some columns does not look at the others; any bytes are read or refused.

use crate::store::error::StoreError;

/// The sums of one key, in the order of the fields of [`Sums`](crate::store::rollup::Sums).
pub(super) type Row = [u64; COLUMNS];

/// Rows with their keys.
pub(super) type Rows = Vec<(u64, Row)>;

/// How many sums there are.
pub(super) const COLUMNS: usize = 8;

/// A sheet whose columns are not read yet.
#[derive(Debug)]
pub(super) struct Sheet<'b> {
    keys: Vec<u64>,
    columns: [&'b [u8]; COLUMNS],
}

impl<'b> Sheet<'b> {
    /// Reads the keys, and finds the columns.
    pub(super) fn read(bytes: &'b [u8]) -> Result<Self, StoreError> {
        let mut rest = bytes;
        let count = number(&mut rest).and_then(|count| usize::try_from(count).ok());
        // Each key takes a byte or more, so no count can ask for more memory than the sheet has.
        let count = count.filter(|count| *count <= rest.len()).ok_or_else(damaged)?;
        let mut keys = Vec::with_capacity(count);
        let mut key = 0_u64;
        for _ in 0..count {
            let distance = number(&mut rest).ok_or_else(damaged)?;
            key = key.checked_add(distance).ok_or_else(damaged)?;
            keys.push(key);
        }
        let mut columns = [<&[u8]>::default(); COLUMNS];
        for column in &mut columns {
            let length = number(&mut rest).and_then(|length| usize::try_from(length).ok());
            let length = length.ok_or_else(damaged)?;
            (*column, rest) = rest.split_at_checked(length).ok_or_else(damaged)?;
        }
        Ok(Self { keys, columns })
    }

    /// The keys, in ascending order.
    pub(super) fn keys(&self) -> &[u64] {
        &self.keys
    }

    /// Hands over the numbers of one column that are not nought, with the position of their keys.
    pub(super) fn column(
        &self,
        column: usize,
        mut take: impl FnMut(usize, u64),
    ) -> Result<(), StoreError> {
        let mut bytes = self.columns.get(column).copied().unwrap_or_default();
        if bytes.is_empty() {
            return Ok(());
        }
        for position in 0..self.keys.len() {
            let number = number(&mut bytes).ok_or_else(damaged)?;
            if number != 0 {
                take(position, number);
            }
        }
        Ok(())
    }

    /// The rows of some keys, in the order of keys.
    pub(super) fn rows_of(&self, is_wanted: impl Fn(u64) -> bool) -> Result<Rows, StoreError> {
        let wanted = self.keys.iter().enumerate().filter(|(_, key)| is_wanted(**key));
        let (places, mut rows): (Vec<usize>, Rows) =
            wanted.map(|(position, key)| (position, (*key, [0; COLUMNS]))).unzip();
        if rows.is_empty() {
            return Ok(rows);
        }
        for column in 0..COLUMNS {
            self.column(column, |position, number| {
                if let Ok(place) = places.binary_search(&position)
                    && let Some((_, row)) = rows.get_mut(place)
                    && let Some(sum) = row.get_mut(column)
                {
                    *sum = number;
                }
            })?;
        }
        Ok(rows)
    }

    /// Every row, in the order of keys.
    pub(super) fn rows(&self) -> Result<Rows, StoreError> {
        let mut rows: Rows = self.keys.iter().map(|key| (*key, [0; COLUMNS])).collect();
        for column in 0..COLUMNS {
            self.column(column, |position, number| {
                if let Some((_, row)) = rows.get_mut(position)
                    && let Some(sum) = row.get_mut(column)
                {
                    *sum = number;
                }
            })?;
        }
        Ok(rows)
    }
}

/// Brings rows into order, those of one key added up.
pub(super) fn add_up(rows: &mut Rows) {
    rows.sort_by_key(|(key, _)| *key);
    rows.dedup_by(|(key, row), (kept_key, kept)| {
        let is_same = key == kept_key;
        if is_same {
            add(kept, row);
        }
        is_same
    });
}

/// Adds the sums of one row to those of another.
pub(super) fn add(sums: &mut Row, more: &Row) {
    for (sum, more) in sums.iter_mut().zip(more) {
        *sum = sum.saturating_add(*more);
    }
}

/// Writes a sheet of rows that are in the order of their keys.
pub(super) fn write(rows: &Rows) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(rows.len() * 12 + 16);
    push(&mut bytes, rows.len() as u64);
    let mut previous = 0;
    for (key, _) in rows {
        push(&mut bytes, key - previous);
        previous = *key;
    }
    let mut numbers = Vec::with_capacity(rows.len() * 2);
    for column in 0..COLUMNS {
        numbers.clear();
        let sums = || rows.iter().filter_map(|(_, row)| row.get(column));
        if sums().any(|sum| *sum != 0) {
            sums().for_each(|sum| push(&mut numbers, *sum));
        }
        push(&mut bytes, numbers.len() as u64);
        bytes.extend_from_slice(&numbers);
    }
    bytes
}

/// Takes a number from the front; `None` if there is none.
fn number(bytes: &mut &[u8]) -> Option<u64> {
    let (first, rest) = bytes.split_first()?;
    if *first < 0x80 {
        *bytes = rest;
        return Some(u64::from(*first));
    }
    let mut number = 0;
    for (index, byte) in bytes.iter().enumerate().take(10) {
        let bits = u64::from(byte & 0x7f);
        let shifted = bits << (7 * index);
        if shifted >> (7 * index) != bits {
            return None;
        }
        number |= shifted;
        if *byte < 0x80 {
            *bytes = bytes.get(index + 1..)?;
            return Some(number);
        }
    }
    None
}

fn push(bytes: &mut Vec<u8>, number: u64) {
    let mut rest = number;
    while 0x80 <= rest {
        bytes.push((rest & 0x7f) as u8 | 0x80);
        rest >>= 7;
    }
    bytes.push((rest & 0x7f) as u8);
}

fn damaged() -> StoreError {
    StoreError::Corrupt("a sheet of sums cannot be read".to_owned())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn what_is_written_is_read(rows in any_rows()) {
            let read = Sheet::read(&write(&rows)).unwrap().rows().unwrap();

            prop_assert_eq!(read, rows);
        }

        #[test]
        fn a_column_is_read_without_the_others(rows in any_rows(), column in 0..COLUMNS) {
            let bytes = write(&rows);
            let sheet = Sheet::read(&bytes).unwrap();
            let mut found = Vec::new();

            sheet.column(column, |position, number| found.push((sheet.keys()[position], number))).unwrap();

            let expected: Vec<_> = rows
                .iter()
                .map(|(key, row)| (*key, row[column]))
                .filter(|(_, number)| *number != 0)
                .collect();
            prop_assert_eq!(found, expected);
        }

        #[test]
        fn some_rows_are_read_without_the_others(rows in any_rows(), wanted in any::<[bool; 8]>()) {
            let bytes = write(&rows);
            let is_wanted = |key: u64| wanted[(key % 8) as usize];

            let read = Sheet::read(&bytes).unwrap().rows_of(is_wanted).unwrap();

            let expected: Rows = rows.into_iter().filter(|(key, _)| is_wanted(*key)).collect();
            prop_assert_eq!(read, expected);
        }

        #[test]
        fn rows_of_one_key_are_added_up(rows in any_rows()) {
            let mut twice = [rows.clone(), rows.clone()].concat();

            add_up(&mut twice);

            let doubled = |row: Row| row.map(|sum| sum.saturating_mul(2));
            prop_assert_eq!(twice, rows.into_iter().map(|(key, row)| (key, doubled(row))).collect::<Rows>());
        }

        #[test]
        fn any_bytes_are_read_or_refused(bytes in prop::collection::vec(any::<u8>(), 0..96)) {
            if let Ok(sheet) = Sheet::read(&bytes) {
                let _rows = sheet.rows();
            }
        }
    }

    #[test]
    fn a_subject_of_few_requests_takes_few_bytes() {
        let rows: Rows = (0..1_024).map(|key| (key, [3, 3, 2, 1_000, 500, 0, 0, 1_500])).collect();

        let bytes = write(&rows).len();

        assert!(bytes <= 1_024 * 11 + 32, "{bytes} bytes");
    }

    fn any_rows() -> impl Strategy<Value = Rows> {
        let sum = prop_oneof![Just(0_u64), 0..300_u64, any::<u64>()];
        let key = prop_oneof![0..2_000_u64, any::<u64>()];
        let rows = prop::collection::btree_map(key, prop::array::uniform8(sum), 0..60);
        rows.prop_map(|rows| rows.into_iter().collect())
    }
}
