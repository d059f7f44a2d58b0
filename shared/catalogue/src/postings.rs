//! Sets of products by their places in the catalogue, and how they are written.

/// A set of places.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Bits(Vec<u64>);

const WORD: usize = 64;

/// Written as the differences between neighbours, seven bits to a byte.
const SPARSE: u8 = 0;
/// Written as a bit for each place.
const DENSE: u8 = 1;

impl Bits {
    /// No place of so many.
    #[must_use]
    pub fn none(all: usize) -> Self {
        Self(vec![0; all.div_ceil(WORD)])
    }

    /// Puts a place in; one beyond the last is left out.
    pub fn insert(&mut self, place: usize) {
        if let Some(word) = self.0.get_mut(place / WORD) {
            *word |= 1 << (place % WORD);
        }
    }

    /// Puts in what is in another set.
    pub fn add(&mut self, other: &Self) {
        self.0.iter_mut().zip(&other.0).for_each(|(own, other)| *own |= other);
    }

    /// Leaves what is in both.
    pub fn keep(&mut self, other: &Self) {
        self.0.iter_mut().zip(&other.0).for_each(|(own, other)| *own &= other);
    }

    /// Takes out what is in another set.
    pub fn remove(&mut self, other: &Self) {
        self.0.iter_mut().zip(&other.0).for_each(|(own, other)| *own &= !other);
    }

    /// How many places are in it.
    #[must_use]
    pub fn len(&self) -> usize {
        self.0.iter().map(|word| word.count_ones() as usize).sum()
    }

    /// Whether none is.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.iter().all(|word| *word == 0)
    }

    /// The places, in their order.
    pub fn places(&self) -> impl Iterator<Item = usize> {
        let bits =
            |word: u64| std::iter::successors(Some(word), |rest| Some(rest & rest.wrapping_sub(1))).take_while(|rest| *rest != 0);
        let words = self.0.iter().enumerate();
        words.flat_map(move |(index, word)| bits(*word).map(move |rest| index * WORD + rest.trailing_zeros() as usize))
    }

    /// The places as they are stored: as few bytes as the two ways of writing need.
    pub(crate) fn encode(places: &[u32], all: usize) -> Vec<u8> {
        let mut bytes = vec![SPARSE];
        let mut next = 0;
        for place in places {
            let mut rest = place - next;
            while rest >= 0x80 {
                bytes.push((rest & 0x7F) as u8 | 0x80);
                rest >>= 7;
            }
            bytes.push(rest as u8);
            next = place + 1;
        }
        if bytes.len() <= all.div_ceil(8) + 1 {
            return bytes;
        }
        let mut bytes = vec![0; all.div_ceil(8) + 1];
        bytes[0] = DENSE;
        for place in places {
            bytes[1 + *place as usize / 8] |= 1 << (place % 8);
        }
        bytes
    }

    /// Adds what was stored; `None` if it was not stored by us.
    pub(crate) fn decode_into(&mut self, bytes: &[u8]) -> Option<()> {
        let (kind, bytes) = bytes.split_first()?;
        match *kind {
            SPARSE => {
                let (mut next, mut value, mut shift) = (0_usize, 0_usize, 0);
                for byte in bytes {
                    value |= usize::from(byte & 0x7F).checked_shl(shift)?;
                    if byte & 0x80 != 0 {
                        shift += 7;
                        continue;
                    }
                    self.insert(next.checked_add(value)?);
                    next = next.checked_add(value)?.checked_add(1)?;
                    (value, shift) = (0, 0);
                }
            }
            DENSE => {
                for (index, byte) in bytes.iter().enumerate() {
                    if let Some(word) = self.0.get_mut(index / 8) {
                        *word |= u64::from(*byte) << (index % 8 * 8);
                    }
                }
            }
            _ => return None,
        }
        Some(())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_set_is_written_in_the_shorter_way() {
        assert_eq!(Bits::encode(&[0, 1, 130], 1000), [0, 0, 0, 0x80, 0x01]);
        let all: Vec<u32> = (0..1000).collect();
        assert_eq!(Bits::encode(&all, 1000).len(), 126);
        assert_eq!(Bits::encode(&[], 1000), [0]);
    }

    #[test]
    fn what_was_not_written_by_us_is_none() {
        let mut bits = Bits::none(100);
        for wrong in [&[][..], &[2, 0], &[0, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80]] {
            assert_eq!(bits.decode_into(wrong), None, "{wrong:?}");
        }
    }

    proptest! {
        #[test]
        fn places_are_read_as_they_were_written(places in prop::collection::btree_set(0..3_000_u32, 0..2_000)) {
            let places: Vec<_> = places.into_iter().collect();
            let mut bits = Bits::none(3_000);
            prop_assert!(bits.decode_into(&Bits::encode(&places, 3_000)).is_some());
            prop_assert_eq!(bits.len(), places.len());
            prop_assert_eq!(bits.places().collect::<Vec<_>>(), places.iter().map(|place| *place as usize).collect::<Vec<_>>());
        }

        #[test]
        fn any_bytes_are_read_without_harm(bytes in prop::collection::vec(any::<u8>(), 0..100)) {
            let _either = Bits::none(100).decode_into(&bytes);
        }
    }
}
