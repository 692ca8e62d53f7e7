//! What a test can see and do of a gateway's pool and of the log that its requests leave.

use gemini_balance::pool::Lease;
use gemini_balance::service_keys::{self, Common};
use keypool::{BucketRecord, KeyId, KeyView, Refusal};

use crate::support::Gateway;

impl Gateway {
    /// Adds service keys that share a project and a tier.
    pub(crate) async fn add_keys(&self, keys: &[&str], project: &str, tier: u8) {
        let app = self.app();
        let lines = keys.iter().map(|key| (*key).to_owned()).collect();
        let common = Common { project: project.to_owned(), tier, ..Common::default() };
        let (pool, now_ms) = (Some(&app.pool), app.clock.wall_ms());
        service_keys::add(&app.store, &app.vault, pool, lines, common, now_ms).await.unwrap();
    }

    /// The name of a key in the pool, by the key itself.
    pub(crate) fn id_of(&self, key: &str) -> KeyId {
        self.view_of(key).id
    }

    /// The name of a key in the API, by the key itself.
    pub(crate) fn identifier_of(&self, key: &str) -> String {
        self.app().pool.key(self.id_of(key)).unwrap().identifier.clone()
    }

    /// What people see of a key, by the key itself.
    pub(crate) fn view_of(&self, key: &str) -> KeyView {
        let views = self.app().pool.views();
        let found = views.into_iter().find(|(one, _)| one.secret.expose() == key);
        found.unwrap_or_else(|| panic!("no key {key}")).1
    }

    /// A key's bucket for a model, if there is anything to remember of it.
    pub(crate) fn bucket_of(&self, key: &str, model: &str) -> Option<BucketRecord> {
        self.view_of(key).buckets.into_iter().find(|bucket| bucket.model == model)
    }

    /// How long a key's bucket for a model still rests, in ms; 0 for one that does not.
    pub(crate) fn rest_ms_of(&self, key: &str, model: &str) -> u64 {
        let until = self.bucket_of(key, model).and_then(|bucket| bucket.state.until());
        until.map_or(0, |until| until.millis_since(self.app().pool.now()))
    }

    /// Takes this very key for a model, as a request would.
    pub(crate) fn lease_of(&self, key: &str, model: &str) -> Result<Lease, Refusal> {
        self.app().pool.lease_key(self.id_of(key), model)
    }

    /// The keys that the upstream was asked with, in order.
    pub(crate) fn keys_seen(&self) -> Vec<String> {
        self.upstream.seen().into_iter().filter_map(|seen| seen.key).collect()
    }

    /// Forgets what was scripted and seen and what the pool has learnt.
    pub(crate) fn forget(&self) {
        self.upstream.clear();
        self.upstream.clear_seen();
        self.app().pool.reset_all();
    }
}
