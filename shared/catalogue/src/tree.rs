//! The tree of categories.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::ops::Range;

use serde::{Deserialize, Serialize};

use crate::Category;

/// The most categories of a catalogue: what is known of each stands in one item.
pub const MAX_CATEGORIES: usize = 10_000;

/// A category as it is told.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Listed {
    /// The category.
    pub category: Category,
    /// How many products are in it or below it.
    pub products: u32,
}

/// Categories in the order in which they are listed: those at the top, then the children of each, all in the order in which they
/// were given. So the children of one stand side by side.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Tree {
    rows: Vec<Category>,
    families: BTreeMap<Option<u64>, Range<usize>>,
    places: BTreeMap<u64, usize>,
}

impl Tree {
    /// Puts categories in order.
    ///
    /// # Errors
    /// Which category is wrong, and why: its place among those that were given, and a text.
    pub fn of(given: Vec<Category>) -> Result<Self, (usize, String)> {
        let mut ids = BTreeSet::new();
        if let Some((place, _)) = given.iter().enumerate().find(|(_, category)| !ids.insert(category.id)) {
            return Err((place, "another category has this id".to_owned()));
        }
        let is_known = |category: &Category| category.parent.is_none_or(|parent| ids.contains(&parent));
        if let Some((place, _)) = given.iter().enumerate().find(|(_, category)| !is_known(category)) {
            return Err((place, "parent: there is no such category".to_owned()));
        }
        if given.len() > MAX_CATEGORIES {
            return Err((MAX_CATEGORIES, format!("more than {MAX_CATEGORIES} categories")));
        }
        let mut children: BTreeMap<Option<u64>, Vec<&Category>> = BTreeMap::new();
        for category in &given {
            children.entry(category.parent).or_default().push(category);
        }
        let mut tree = Self::default();
        let mut parents = VecDeque::from([None]);
        while let Some(parent) = parents.pop_front() {
            let Some(family) = children.get(&parent) else { continue };
            let first = tree.rows.len();
            for category in family {
                tree.places.insert(category.id, tree.rows.len());
                tree.rows.push((*category).clone());
                parents.push_back(Some(category.id));
            }
            tree.families.insert(parent, first..tree.rows.len());
        }
        match given.iter().position(|category| !tree.places.contains_key(&category.id)) {
            Some(place) => Err((place, "parent: the category is below itself".to_owned())),
            None => Ok(tree),
        }
    }

    /// All of them.
    #[must_use]
    pub fn rows(&self) -> &[Category] {
        &self.rows
    }

    /// The children of every category that has some, and those at the top: places among the rows.
    pub fn families(&self) -> impl Iterator<Item = (Option<u64>, Range<usize>)> {
        self.families.iter().map(|(parent, places)| (*parent, places.clone()))
    }

    /// The children of a category, or those at the top; none of one that is not there.
    #[must_use]
    pub fn family(&self, parent: Option<u64>) -> &[Category] {
        self.families.get(&parent).and_then(|places| self.rows.get(places.clone())).unwrap_or_default()
    }

    /// A category and those above it; nothing for one that is not there.
    #[must_use]
    pub fn line(&self, id: u64) -> Vec<u64> {
        let row = |id: &u64| self.places.get(id).and_then(|place| self.rows.get(*place));
        let above = std::iter::successors(row(&id), |category| category.parent.as_ref().and_then(row));
        above.map(|category| category.id).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn category(id: u64, parent: impl Into<Option<u64>>) -> Category {
        Category { id, parent: parent.into(), label: format!("c{id}") }
    }

    #[test]
    fn children_stand_side_by_side_in_the_order_given() {
        let tree = Tree::of(vec![category(12, 10), category(10, None), category(11, 10), category(20, None), category(5, 12)]);
        let tree = tree.unwrap();
        let ids = |parent: Option<u64>| tree.family(parent).iter().map(|category| category.id).collect::<Vec<_>>();
        assert_eq!((ids(None), ids(Some(10)), ids(Some(12))), (vec![10, 20], vec![12, 11], vec![5]));
        assert_eq!((ids(Some(5)), ids(Some(99))), (vec![], vec![]));
        assert_eq!((tree.line(5), tree.line(20), tree.line(99)), (vec![5, 12, 10], vec![20], vec![]));
    }

    #[test]
    fn what_is_no_tree_is_refused_by_its_place() {
        let told = |given| Tree::of(given).unwrap_err();
        assert_eq!(told(vec![category(1, None), category(1, None)]), (1, "another category has this id".to_owned()));
        assert_eq!(told(vec![category(1, 7)]), (0, "parent: there is no such category".to_owned()));
        let below = "parent: the category is below itself".to_owned();
        assert_eq!(told(vec![category(9, None), category(1, 2), category(2, 1)]), (1, below.clone()));
        assert_eq!(told(vec![category(1, 1)]), (0, below));
        assert_eq!(Tree::of(Vec::new()).unwrap().rows(), []);
    }
}
