//! The resources in memory: by name, by owner, and in the order in which they end.

use std::collections::{BTreeSet, HashMap};
use std::ops::Bound;
use std::sync::Arc;

use keypool::Kin;

use super::{ALL_MAX, Kept, PER_USER_MAX};

/// One resource.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Resource {
    /// The keys that see it.
    pub(super) kin: Kin,
    /// The user key that had it made.
    pub(super) user: i64,
    /// In ms since the epoch.
    pub(super) created_ms: i64,
    /// In ms since the epoch.
    pub(super) expires_ms: Option<i64>,
    /// Deleted, or not there any more.
    pub(super) is_gone: bool,
}

impl Resource {
    /// Whether it is there, as far as is known.
    pub(super) fn is_live(&self, now_ms: i64) -> bool {
        !self.is_gone && self.expires_ms.is_none_or(|end| now_ms < end)
    }

    /// As an admin sees it.
    pub(super) fn kept(&self, name: Arc<str>) -> Kept {
        Kept {
            name,
            kin: self.kin.clone(),
            user: self.user,
            created_ms: self.created_ms,
            expires_ms: self.expires_ms,
        }
    }

    fn end_ms(&self) -> i64 {
        self.expires_ms.unwrap_or(i64::MAX)
    }
}

/// When something ends, and its name.
pub(super) type End = (i64, Arc<str>);

/// All that is remembered.
#[derive(Debug, Default)]
pub(super) struct Table {
    by_name: HashMap<Arc<str>, Resource>,
    by_end: BTreeSet<End>,
    by_user: HashMap<i64, BTreeSet<End>>,
    /// The names of what the store does not know yet; never more than were remembered at once.
    unsaved: BTreeSet<Arc<str>>,
    /// How many were forgotten for lack of room since somebody asked.
    pushed_out: u64,
}

impl Table {
    pub(super) fn get(&self, name: &str) -> Option<&Resource> {
        self.by_name.get(name)
    }

    pub(super) fn len(&self) -> usize {
        self.by_name.len()
    }

    /// Remembers something in place of what was remembered of it. Where there is no room, what ends
    /// soonest is forgotten: of the same user first, who may not push out what others have.
    pub(super) fn put(&mut self, name: &str, resource: Resource) {
        self.take(name);
        while self.by_user.get(&resource.user).is_some_and(|held| PER_USER_MAX <= held.len())
            && let Some((_, name)) = self.by_user.get(&resource.user).and_then(BTreeSet::first)
        {
            let name = Arc::clone(name);
            self.take(&name);
            self.pushed_out += 1;
        }
        while ALL_MAX <= self.by_name.len()
            && let Some((_, name)) = self.by_end.first().cloned()
        {
            self.take(&name);
            self.pushed_out += 1;
        }
        self.load(name, resource);
        self.mark(name);
    }

    /// Puts in what the store knows already.
    pub(super) fn load(&mut self, name: &str, resource: Resource) {
        let name: Arc<str> = name.into();
        let end = (resource.end_ms(), Arc::clone(&name));
        self.by_end.insert(end.clone());
        self.by_user.entry(resource.user).or_default().insert(end);
        self.by_name.insert(name, resource);
    }

    /// Forgets something.
    pub(super) fn take(&mut self, name: &str) -> Option<Resource> {
        let (name, resource) = self.by_name.remove_entry(name)?;
        let end = (resource.end_ms(), name);
        self.by_end.remove(&end);
        if let Some(held) = self.by_user.get_mut(&resource.user) {
            held.remove(&end);
            if held.is_empty() {
                self.by_user.remove(&resource.user);
            }
        }
        self.unsaved.insert(end.1);
        Some(resource)
    }

    /// Forgets what has ended.
    pub(super) fn prune(&mut self, now_ms: i64) {
        while let Some((end_ms, name)) = self.by_end.first().cloned()
            && end_ms <= now_ms
        {
            self.take(&name);
        }
    }

    /// Everything that somebody has, or that there is.
    pub(super) fn held(&self, user: Option<i64>) -> impl Iterator<Item = (&Arc<str>, &Resource)> {
        let held = match user {
            Some(user) => self.by_user.get(&user),
            None => Some(&self.by_end),
        };
        let ends = held.into_iter().flatten();
        ends.filter_map(|(_, name)| Some((name, self.by_name.get(name)?)))
    }

    /// Some of all there are, in the order in which they end, behind that of a certain end.
    pub(super) fn after(&self, end: Option<&End>, max: usize) -> Vec<(End, Resource)> {
        let behind = end.map_or(Bound::Unbounded, Bound::Excluded);
        let ends = self.by_end.range::<End, _>((behind, Bound::Unbounded)).take(max);
        ends.filter_map(|end| Some((end.clone(), self.by_name.get(&end.1)?.clone()))).collect()
    }

    /// How many were forgotten for lack of room since the last call.
    pub(super) fn take_pushed_out(&mut self) -> u64 {
        std::mem::take(&mut self.pushed_out)
    }

    /// Takes some names of what the store does not know yet, at most `max`.
    pub(super) fn take_unsaved(&mut self, max: usize) -> Vec<Arc<str>> {
        std::iter::from_fn(|| self.unsaved.pop_first()).take(max).collect()
    }

    /// The store does not know this after all.
    pub(super) fn mark(&mut self, name: &str) {
        let known = self.by_name.get_key_value(name).map(|(name, _)| Arc::clone(name));
        self.unsaved.insert(known.unwrap_or_else(|| name.into()));
    }
}

#[cfg(test)]
mod tests {
    use keypool::KeyId;

    use super::*;

    #[test]
    fn what_has_ended_is_forgotten_and_the_store_is_told() {
        let mut table = Table::default();
        table.load("files/a", resource(1, Some(10)));
        table.load("files/b", resource(1, Some(20)));
        table.load("files/c", resource(1, None));

        table.prune(10);

        assert_eq!((table.len(), table.held(Some(1)).count()), (2, 2));
        assert_eq!(table.take_unsaved(9), ["files/a".into()]);
        table.prune(i64::MAX - 1);
        assert_eq!(table.len(), 1);
    }

    #[test]
    fn who_makes_too_much_pushes_out_nothing_but_their_own() {
        let mut table = Table::default();
        table.put("files/of-another", resource(2, Some(1)));
        for number in 0..PER_USER_MAX + 3 {
            let end_ms = i64::try_from(100 + number).unwrap();
            table.put(&format!("files/{number}"), resource(1, Some(end_ms)));
        }

        assert!(table.get("files/of-another").is_some());
        assert_eq!(table.held(Some(1)).count(), PER_USER_MAX);
        assert!(table.get("files/2").is_none() && table.get("files/3").is_some());
        assert_eq!((table.take_pushed_out(), table.take_pushed_out()), (3, 0));
    }

    #[test]
    fn something_that_is_remembered_anew_has_one_end() {
        let mut table = Table::default();
        table.put("files/a", resource(1, Some(10)));
        table.put("files/a", resource(2, Some(30)));

        table.prune(20);

        assert_eq!(table.held(Some(1)).count(), 0);
        assert_eq!(table.held(Some(2)).count(), 1);
    }

    fn resource(user: i64, expires_ms: Option<i64>) -> Resource {
        let kin = Kin { key: KeyId(1), project: None };
        Resource { kin, user, created_ms: 0, expires_ms, is_gone: false }
    }
}
