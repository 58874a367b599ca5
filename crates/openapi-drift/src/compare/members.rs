//! Members of two maps, paired by their keys.

use std::collections::{BTreeMap, BTreeSet};

use super::sides::{Side, Sides};
use crate::node::Node;

/// A member of two maps.
#[derive(Debug)]
pub(super) enum Member<T> {
    /// Both maps have it.
    Both(Sides<T>),
    /// One map has it.
    Lone(Lone<T>),
}

/// A member that one document has.
#[derive(Clone, Debug)]
pub(super) struct Lone<T> {
    pub(super) value: T,
    /// Whether the base has it.
    pub(super) removed: bool,
}

impl<T> Lone<T> {
    /// The first if it was removed, the second if it was added.
    pub(super) fn pick<U>(&self, removed: U, added: U) -> U {
        if self.removed { removed } else { added }
    }

    /// `removed` or `added`.
    pub(super) fn verb(&self) -> &'static str {
        self.pick("removed", "added")
    }

    /// Its pointer in the document that has it, and that of something else in the other document.
    pub(super) fn at(&self, own: &str, elsewhere: Sides<String>) -> Sides<String> {
        let own = own.to_owned();
        self.beside(own, self.pick(elsewhere.revision, elsewhere.base))
    }

    /// A value of the document that has it, and one of the other document.
    pub(super) fn beside<U>(&self, own: U, other: U) -> Sides<U> {
        if self.removed { Sides { base: own, revision: other } } else { Sides { base: other, revision: own } }
    }

    /// Another value of the document that has it.
    pub(super) fn with<U>(&self, value: U) -> Lone<U> {
        Lone { value, removed: self.removed }
    }

    /// The document that has it.
    pub(super) fn side(&self) -> Side {
        self.pick(Side::Base, Side::Revision)
    }
}

impl Lone<Node<'_>> {
    /// Its pointer, and that of the owner in the document that does not have it.
    pub(super) fn pointers(&self, owner: &Sides<Node<'_>>) -> Sides<String> {
        self.at(&self.value.pointer, owner.pointers())
    }
}

impl<T> Sides<Option<T>> {
    /// The member that the documents have; `None` if neither has it.
    pub(super) fn member(self) -> Option<Member<T>> {
        Some(match (self.base, self.revision) {
            (Some(base), Some(revision)) => Member::Both(Sides { base, revision }),
            (Some(value), None) => Member::Lone(Lone { value, removed: true }),
            (None, value) => Member::Lone(Lone { value: value?, removed: false }),
        })
    }
}

/// The members of two maps in the order of their keys.
pub(super) fn members<K: Clone + Ord, T: Clone>(maps: &Sides<BTreeMap<K, T>>) -> Vec<(K, Member<T>)> {
    let keys: BTreeSet<&K> = maps.base.keys().chain(maps.revision.keys()).collect();
    let member = |key: &K| Some((key.clone(), maps.map(|map| map.get(key).cloned()).member()?));
    keys.into_iter().filter_map(member).collect()
}

/// The members of the maps in a field of two objects.
pub(super) fn members_of<'a>(owners: &Sides<Node<'a>>, field: &str) -> Vec<(&'a str, Member<Node<'a>>)> {
    members(&owners.map(|owner| owner.map(field)))
}

/// The items of two lists that the other list does not have: of the base, then of the revision.
pub(super) fn lone_items<T>(lists: &Sides<Vec<T>>, same: impl Fn(&T, &T) -> bool) -> Vec<Lone<&T>> {
    let lacks = |list: &[T], item: &T| !list.iter().any(|other| same(other, item));
    let removed = lists.base.iter().filter(|item| lacks(&lists.revision, item));
    let added = lists.revision.iter().filter(|item| lacks(&lists.base, item));
    lone(removed, added)
}

/// Items of the base, then of the revision.
fn lone<T>(removed: impl IntoIterator<Item = T>, added: impl IntoIterator<Item = T>) -> Vec<Lone<T>> {
    let removed = removed.into_iter().map(|value| Lone { value, removed: true });
    removed.chain(added.into_iter().map(|value| Lone { value, removed: false })).collect()
}

/// The items of two lists in pairs: first those that are the same, as an added or removed one must not shift the others,
/// then the others in order. The rest of the longer list is lone.
pub(super) fn paired<T>(
    lists: Sides<Vec<T>>,
    same: impl Fn(&T, &T) -> bool,
) -> (Vec<Sides<T>>, Vec<Lone<T>>) {
    let (mut pairs, mut removed, mut left) = (Vec::new(), Vec::new(), lists.revision);
    for base in lists.base {
        match left.iter().position(|new| same(&base, new)) {
            Some(index) => pairs.push(Sides { base, revision: left.remove(index) }),
            None => removed.push(base),
        }
    }
    let both = removed.len().min(left.len());
    let lone = lone(removed.split_off(both), left.split_off(both));
    pairs.extend(removed.into_iter().zip(left).map(|(base, revision)| Sides { base, revision }));
    (pairs, lone)
}

/// A map of these members. Of two with keys that count as one, the second has another key: they must not hide each other.
pub(super) fn keyed<T>(members: impl IntoIterator<Item = (String, T)>) -> BTreeMap<String, T> {
    let mut map = BTreeMap::new();
    for (mut key, value) in members {
        while map.contains_key(&key) {
            key.push(' ');
        }
        map.insert(key, value);
    }
    map
}
