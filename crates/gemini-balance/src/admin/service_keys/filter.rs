//! Which service keys are meant: by words, state, project, tag, tier.

use keypool::BucketState;
use serde::Deserialize;
use utoipa::ToSchema;

use crate::admin::service_keys::listed::{KeyState, Listed};

/// Keys that fulfil everything that is given; all of them, if nothing is.
#[derive(Debug, Default, PartialEq, Eq, Deserialize, ToSchema, utoipa::IntoParams)]
#[schema(as = KeyFilter)]
#[into_params(parameter_in = Query)]
pub(super) struct Filter {
    /// A text within identifier, brief, note, project or a tag; case does not matter.
    #[serde(default)]
    pub(super) q: Option<String>,
    /// How the keys stand.
    #[serde(default)]
    #[param(inline)]
    pub(super) state: Option<StateFilter>,
    /// The project's label; empty for keys that are alone.
    #[serde(default)]
    pub(super) project: Option<String>,
    /// One of the tags.
    #[serde(default)]
    pub(super) tag: Option<String>,
    /// The tier.
    #[serde(default)]
    pub(super) tier: Option<u8>,
    /// Whether they are switched on.
    #[serde(default)]
    pub(super) enabled: Option<bool>,
}

/// One condition of a filter.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Facet {
    State,
    Project,
    Tag,
    Tier,
    Enabled,
    Words,
}

/// How a key stands: one of its states, or something beside it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = KeyStateFilter)]
pub(super) enum StateFilter {
    /// May serve.
    Active,
    /// The upstream does not know it.
    Invalid,
    /// The upstream has locked it.
    Suspended,
    /// Its project has no credit left.
    NoCredit,
    /// Switched off.
    Disabled,
    /// Cannot be decrypted.
    Unreadable,
    /// May serve, but rests for a model at least.
    Resting,
    /// Serves a request at this moment.
    InUse,
}

impl Filter {
    /// Whether every key meets it.
    pub(super) fn is_everything(&self) -> bool {
        *self == Self::default()
    }

    /// Whether a key is meant.
    pub(super) fn meets(&self, key: &Listed) -> bool {
        self.conditions(key).into_iter().all(|(_, is_met)| is_met)
    }

    /// The conditions that a key does not fulfil.
    pub(super) fn failed(&self, key: &Listed) -> Vec<Facet> {
        let failed = self.conditions(key).into_iter().filter(|(_, is_met)| !is_met);
        failed.map(|(facet, _)| facet).collect()
    }

    fn conditions(&self, key: &Listed) -> [(Facet, bool); 6] {
        let row = &key.row;
        [
            (Facet::State, self.state.is_none_or(|state| state.meets(key))),
            (Facet::Project, self.project.as_ref().is_none_or(|label| row.project == *label)),
            (Facet::Tag, self.tag.as_ref().is_none_or(|tag| row.tags.contains(tag))),
            (Facet::Tier, self.tier.is_none_or(|tier| row.tier == i64::from(tier))),
            (Facet::Enabled, self.enabled.is_none_or(|is_enabled| row.is_enabled == is_enabled)),
            (Facet::Words, self.q.as_deref().is_none_or(|words| has_words(key, words))),
        ]
    }
}

impl StateFilter {
    fn meets(self, key: &Listed) -> bool {
        let state = key.state();
        match self {
            Self::Active => state == KeyState::Active,
            Self::Invalid => state == KeyState::Invalid,
            Self::Suspended => state == KeyState::Suspended,
            Self::NoCredit => state == KeyState::NoCredit,
            Self::Disabled => state == KeyState::Disabled,
            Self::Unreadable => state == KeyState::Unreadable,
            Self::Resting => state == KeyState::Active && key.view.as_ref().is_some_and(rests),
            Self::InUse => key.view.as_ref().is_some_and(|view| 0 < view.leases),
        }
    }
}

/// Whether a key rests for a model and will be back by itself.
pub(super) fn rests(view: &keypool::KeyView) -> bool {
    view.buckets.iter().any(|bucket| is_resting(bucket.state))
}

/// Whether a bucket is away for a while, and not for good until an admin resets it.
pub(super) fn is_resting(state: BucketState) -> bool {
    match state {
        BucketState::Cooling { .. } | BucketState::ExhaustedUntil { .. } | BucketState::Proving => {
            true
        }
        BucketState::Ready | BucketState::NotEntitled | BucketState::ModelDenied => false,
    }
}

fn has_words(key: &Listed, words: &str) -> bool {
    let words = words.trim().to_lowercase();
    let row = &key.row;
    let texts = [&row.key_identifier, &row.brief, &row.note, &row.project];
    texts.into_iter().chain(&row.tags).any(|text| text.to_lowercase().contains(&words))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::service_keys::{ServiceKey, Standing};

    #[test]
    fn words_are_looked_for_literally_and_without_case() {
        for (words, expected) in [
            ("PAID", true),
            (" ok01 ", true),
            ("key_sha256_0a", true),
            ("", true),
            ("%", false),
            ("_sha_", false),
            ("' OR 1=1 --", false),
        ] {
            let filter = Filter { q: Some(words.to_owned()), ..Filter::default() };

            assert_eq!(filter.meets(&key()), expected, "{words}");
        }
    }

    #[test]
    fn everything_that_is_given_must_be_fulfilled() {
        let filter = |json: &str| serde_json::from_str::<Filter>(json).unwrap();

        assert!(filter("{}").meets(&key()));
        assert!(filter(r#"{"tier": 1, "tag": "paid", "enabled": true}"#).meets(&key()));
        assert!(!filter(r#"{"tier": 1, "tag": "free"}"#).meets(&key()));
        assert!(!filter(r#"{"project": ""}"#).meets(&key()));
        assert!(filter(r#"{"state": "unreadable"}"#).meets(&key()));
        assert!(!filter(r#"{"state": "active"}"#).meets(&key()));
    }

    fn key() -> Listed {
        Listed {
            row: ServiceKey {
                id: 1,
                key_identifier: "key_sha256_0a0b0c0d".to_owned(),
                fingerprint: [0; 32],
                brief: "AIza...ok01".to_owned(),
                sealed: Vec::new(),
                provider: "gemini".to_owned(),
                project: "acme".to_owned(),
                tier: 1,
                note: String::new(),
                tags: vec!["eu".to_owned(), "paid".to_owned()],
                is_enabled: true,
                standing: Standing {
                    name: "active".to_owned(),
                    since_ms: None,
                    reason: String::new(),
                    probe_level: 0,
                    probe_at_ms: None,
                },
                created_at_ms: 1,
                last_used_at_ms: None,
            },
            view: None,
        }
    }
}
