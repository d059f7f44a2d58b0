//! A merchant's catalogue: products and the tree of their categories, as they are loaded, and how they are searched.
//!
//! The crate does no I/O. What it makes of a catalogue to be searched ([`IndexBuilder`]) is a list of blocks; which of them a
//! question needs is known from their directory, so that a store reads them all at once. It must not know where they are kept or
//! which platform asks.

mod index;
mod postings;
mod product;
mod tree;
mod words;

pub use index::{Directory, Index, IndexBuilder, Question};
pub use postings::Bits;
pub use product::{Category, MAX_PRODUCTS, Product, RowProblem};
pub use tree::{Listed, MAX_CATEGORIES, Tree};
pub use words::{MAX_WORDS, Query, TooManyWords, rank};

/// Which products are asked for.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Wanted {
    /// Of this category and everything below it.
    pub category: Option<u64>,
    /// With these words, the best matches first.
    pub query: Option<Query>,
}

/// Which of the entries that are asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Page {
    /// So many are left out first.
    pub offset: usize,
    /// The most that are told.
    pub limit: usize,
}

impl Page {
    /// What is on this page, of so many entries.
    #[must_use]
    pub fn of(self, all: usize) -> std::ops::Range<usize> {
        let first = self.offset.min(all);
        first..first.saturating_add(self.limit).min(all)
    }
}
