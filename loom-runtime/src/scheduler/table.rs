//! A grow-only map from a dense index to a record, readable without a lock.

use std::array;

use crate::sync::OnceLock;

/// Bucket `b` holds `2^b` records, so 33 buckets hold every `u32` index and none ever moves.
const BUCKETS: usize = 33;

/// Records by dense index, each made at its first use.
///
/// A look-up is two acquire loads. Making a record may wait for another thread that makes the same
/// record, at most once per index.
#[derive(Debug)]
pub(crate) struct Table<T> {
    buckets: [OnceLock<Box<[OnceLock<T>]>>; BUCKETS],
}

impl<T> Default for Table<T> {
    fn default() -> Self {
        Self { buckets: array::from_fn(|_| OnceLock::new()) }
    }
}

impl<T> Table<T> {
    /// The record at `index`, made by `new` if there is none yet.
    pub(crate) fn entry(&self, index: u32, new: impl FnOnce() -> T) -> &T {
        let (bucket, offset) = position(index);
        let records = self.buckets[bucket]
            .get_or_init(|| (0..1_usize << bucket).map(|_| OnceLock::new()).collect());
        records[offset].get_or_init(new)
    }

    /// The record at `index`, if it was made.
    pub(crate) fn get(&self, index: u32) -> Option<&T> {
        let (bucket, offset) = position(index);
        self.buckets[bucket].get()?.get(offset)?.get()
    }

    /// All records made so far, by index.
    pub(crate) fn iter(&self) -> impl Iterator<Item = &T> {
        self.buckets
            .iter()
            .filter_map(OnceLock::get)
            .flat_map(|records| records.iter().filter_map(OnceLock::get))
    }
}

/// Index `i` lives in bucket `floor(log2(i + 1))`.
fn position(index: u32) -> (usize, usize) {
    let n = u64::from(index) + 1;
    let bucket = n.ilog2();
    let offset = n - (1 << bucket);
    // An offset is below 2^32; only a 16-bit `usize` could not hold it.
    (bucket as usize, usize::try_from(offset).unwrap_or(usize::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_index_has_a_place_of_its_own() {
        assert_eq!(position(0), (0, 0));
        assert_eq!(position(1), (1, 0));
        assert_eq!(position(2), (1, 1));
        assert_eq!(position(3), (2, 0));
        assert_eq!(position(u32::MAX - 1), (31, (1 << 31) - 1));
        assert_eq!(position(u32::MAX), (32, 0));
    }

    #[test]
    fn a_record_is_made_once_and_stays_where_it_is() {
        let table = Table::default();
        let first: *const u32 = table.entry(5, || 50);
        for index in 0..100 {
            table.entry(index, || index * 10);
        }
        assert!(std::ptr::eq(first, table.entry(5, || unreachable!("made above"))));
        assert_eq!(table.iter().count(), 100);
        assert_eq!(table.iter().copied().max(), Some(990));
    }
}
