//! Whose a resource is, until when, and what a restart remembers.

use tokio::task::JoinSet;

use super::*;
use crate::store::tests::TestStore;
use crate::vault::{GivenSecrets, WhenAbsent};

const BEGIN_MS: i64 = 1_800_000_000_000;
const HOUR_MS: u32 = 3_600_000;

#[tokio::test]
async fn a_resource_is_for_who_had_it_made_until_it_ends() {
    let store = TestStore::new();
    let clock = Clock::manual(BEGIN_MS);
    let resources = load(&store, &clock, false).await;
    made(&resources, "files/a", 1, 7, Some("2027-01-15T09:00:00Z"));

    assert_eq!(resources.find("files/a", 7), Found::Kept(kin(1)));
    assert_eq!(resources.find("files/a", 8), Found::Foreign);
    assert_eq!(resources.find("files/b", 7), Found::Unknown);
    assert_eq!(names(&resources, "files", 7), ["files/a"]);
    assert_eq!(names(&resources, "files", 8), [""; 0]);
    assert_eq!(names(&resources, "file", 7), [""; 0]);
    clock.advance(HOUR_MS);
    assert_eq!(names(&resources, "files", 7), [""; 0]);
    resources.prune();
    assert_eq!(resources.find("files/a", 7), Found::Kept(kin(1)), "who asks hears the upstream");
    clock.advance(HOUR_MS);
    resources.prune();
    assert_eq!(resources.find("files/a", 7), Found::Unknown);
}

#[tokio::test]
async fn what_is_shared_is_for_all() {
    let store = TestStore::new();
    let resources = load(&store, &Clock::manual(BEGIN_MS), true).await;
    made(&resources, "files/a", 1, 7, None);

    assert_eq!(resources.find("files/a", 8), Found::Kept(kin(1)));
    assert_eq!(names(&resources, "files", 8), ["files/a"]);
}

#[tokio::test]
async fn nobody_takes_over_what_another_has_but_what_is_gone_may_be_made_anew() {
    let store = TestStore::new();
    let clock = Clock::manual(BEGIN_MS);
    let resources = load(&store, &clock, false).await;
    made(&resources, "files/a", 1, 7, None);

    made(&resources, "files/a", 2, 8, None);
    assert_eq!(resources.find("files/a", 7), Found::Kept(kin(1)));
    resources.forget("files/a");
    assert_eq!(resources.find("files/a", 7), Found::Kept(kin(1)), "who asks hears the upstream");
    assert_eq!(names(&resources, "files", 7), [""; 0]);
    made(&resources, "files/a", 2, 8, None);

    assert_eq!(resources.find("files/a", 7), Found::Foreign);
    assert_eq!(resources.find("files/a", 8), Found::Kept(kin(2)));
}

#[tokio::test]
async fn a_life_that_is_not_told_is_that_of_its_kind_and_one_that_is_moved_is_followed() {
    let store = TestStore::new();
    let clock = Clock::manual(BEGIN_MS);
    let resources = load(&store, &clock, false).await;
    made(&resources, "files/a", 1, 7, None);
    made(&resources, "fileSearchStores/s", 1, 7, None);
    made(&resources, "cachedContents/c", 1, 7, Some("2027-01-15T09:00:00Z"));
    resources.prolong("cachedContents/c", "2027-01-15T12:00:00Z");
    resources.prolong("cachedContents/c", "soon");

    clock.advance(2 * HOUR_MS);
    assert_eq!(resources.find("cachedContents/c", 7), Found::Kept(kin(1)));
    clock.advance(47 * HOUR_MS);
    resources.prune();

    assert_eq!(resources.find("cachedContents/c", 7), Found::Unknown);
    assert_eq!(resources.find("files/a", 7), Found::Unknown);
    assert_eq!(resources.find("fileSearchStores/s", 7), Found::Kept(kin(1)));
}

#[tokio::test]
async fn a_restart_remembers_what_was_written_behind() {
    let store = TestStore::new();
    let clock = Clock::manual(BEGIN_MS);
    let resources = load(&store, &clock, false).await;
    let lifecycle = Lifecycle::default();
    let mut tasks = JoinSet::new();
    tasks.spawn(remember(Arc::clone(&resources), (*store).clone(), lifecycle.clone()));
    for number in 0..10_000 {
        made(&resources, &format!("files/{number}"), 1, 7, None);
    }
    resources.forget("files/3");
    lifecycle.end_drain();
    tasks.join_next().await.unwrap().unwrap();

    let resources = load(&store, &clock, false).await;

    assert_eq!(resources.len(), 10_000);
    assert_eq!(resources.find("files/9999", 7), Found::Kept(kin(1)));
    assert_eq!(names(&resources, "files", 7).len(), 9_999);
}

#[tokio::test]
async fn an_admin_sees_all_that_is_there_a_page_at_a_time_whoever_made_it() {
    let store = TestStore::new();
    let clock = Clock::manual(BEGIN_MS);
    let resources = load(&store, &clock, false).await;
    let count = 3 * LOOKED_AT_MAX + 5;
    for number in 0..count {
        let user = if number % 2 == 0 { 7 } else { 8 };
        made(&resources, &format!("files/{number:05}"), 1, user, None);
        clock.advance(1);
    }
    made(&resources, "cachedContents/c", 2, 7, Some("2027-01-15T08:30:00Z"));
    resources.forget("files/00000");

    let all = resources.page(&Wanted::default(), 0, 10);
    assert_eq!((all.total, all.kept.len()), (count, 10));
    assert_eq!(&*all.kept[0].name, "cachedContents/c", "it ends first");
    assert_eq!(&*all.kept[1].name, "files/00001");
    let files = Wanted { kind: Some("files".to_owned()), user: Some(7), ..Wanted::default() };
    let last = resources.page(&files, count / 2 - 1, 10);
    assert_eq!((last.total, last.kept.len()), (count / 2, 1));
    assert_eq!(last.kinds["cachedContents"], 1, "what another kind would show");
    let words = Wanted { words: "es/0010".to_owned(), ..Wanted::default() };
    assert_eq!(resources.page(&words, 0, 99).total, 10);
    let key = Wanted { key: Some(KeyId(2)), ..Wanted::default() };
    assert_eq!(resources.page(&key, 0, 99).total, 1);
    clock.advance(HOUR_MS);
    assert_eq!(resources.page(&key, 0, 99).total, 0);
}

async fn load(store: &Store, clock: &Clock, is_shared: bool) -> Arc<Resources> {
    let directory = tempfile::tempdir().unwrap();
    let vault = Vault::open(directory.path(), GivenSecrets::default(), WhenAbsent::Create).unwrap();
    let rules = Rules { is_shared, together_ms: 0 };
    let loaded = Resources::load(store, Arc::new(vault), clock.clone(), rules).await;
    Arc::new(loaded.unwrap())
}

fn made(resources: &Resources, name: &str, key: u64, user: i64, expires: Option<&str>) {
    resources.made(Told { name, kin: &kin(key), user, expires });
}

fn kin(key: u64) -> Kin {
    Kin { key: KeyId(key), project: None }
}

fn names(resources: &Resources, kind: &str, user: i64) -> Vec<String> {
    let listed = resources.listed(kind, user);
    listed.into_iter().map(|(name, _)| name.to_string()).collect()
}
