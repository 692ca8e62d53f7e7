//! The key pool as a pure state machine: values in, values out, time passed in.
//!
//! # The story of a key
//!
//! A service key enters the [`Pool`] with a *tier* and, if it has one, the label of its *project*. The
//! upstream counts quota per project and model, so all keys of a project draw on one *budget*; a key without
//! a label is a project of its own. A budget has one *bucket* per model, and its credit.
//!
//! A request asks for a key that serves its model and gets a *lease*. The lease comes back once: with a
//! [`Verdict`], or taken back because it is stuck. Each verdict names its scope, and nothing outside that
//! scope rests:
//!
//! ```text
//! verdict          what rests               until
//! Healthy          nothing                  level and failures of the bucket, level of the credit: 0
//! Blameless        nothing
//! Unreached        nothing
//! Cooling          the bucket               the stated wait, 1 s to 24 h, is over
//! RateLimited      the bucket               90 s, doubling with repeats              unless trouble
//! ExhaustedUntil   the bucket               exactly then
//! Faulty           the bucket, at 3 in a    300 s, doubling up to 12 h               unless trouble
//!                  row and from then on
//! NotEntitled      the bucket               an admin resets
//! ModelDenied      the key for the model    an admin resets
//! NoCredit         all keys of the budget   1 h, doubling up to 12 h
//! Invalid          the key                  a probe is served, or an admin resets
//! Suspended        the key                  a probe is served, or an admin resets
//! ```
//!
//! Waits the pool chooses itself are moved by up to a tenth either way and never exceed their cap. The
//! *level* says how many of them came in a row; only content brings it back to 0. A bucket that reached the
//! failure threshold cools again at its next fault, for it has proven nothing since.
//!
//! Credit returns by time and not by probe: a probe is a free call, and a free call cannot tell whether there
//! is money. Keys that are invalid or suspended are probed after 1 h, doubling to 12 h. If the policy wants
//! it, a cooled bucket is *proving* after its wait: it is health-checked at every interval and serves when one
//! check is passed, or after three intervals in any case, because a check that fails for its own reasons must
//! not keep a key away for good. A failed probe never makes anything worse.
//!
//! # Keys or upstream?
//!
//! If at least three distinct keys, and at least half of those tried within ten seconds, ended alike in
//! `Faulty` or `Unreached`, or alike in `RateLimited`, each counted by its latest answer, the [`Trouble`] is common. While it
//! lasts neither verdict counts against a key, single probes look for its end, and the steps that the first
//! failures have cost their buckets in those ten seconds are taken back, as far as nothing else has happened
//! to a bucket since. It ends when successes outweigh the failures, when a probe is served, or when the
//! window empties.
//!
//! # Choosing
//!
//! Lowest tier, then fewest leases out, then never used (in the order the keys came), then least recently
//! used. [`Refusal`] says why there is no key and when the first one truly returns. A request for something that
//! one key has made is served by that key and those of its project alone, its [`Kin`].
//!
//! # What always holds
//!
//! - A key has no more leases out than the limit at the time each was given, and none that it was not ready for.
//! - A lease ends once; what comes after has no effect, also when the key was removed and added again.
//! - A time at which a refusal says that a key returns lies in the future, and is the soonest there is.
//! - No bucket rests longer than the pool's cap or the upstream's word; no level rises twice for one rest.
//! - Whoever applies every [`Change`] knows all that must survive a restart.
//! - Memory is bounded by the keys, the leases and 256 models: a caller may name any model, but only a failing
//!   verdict makes one known, and when there is no room those for which nobody rests are forgotten.
//!
//! # Cost
//!
//! Choosing looks at bits, 512 keys at a time; leasing and settling touch a handful of maps. What concerns a
//! whole budget (its bucket begins or ceases to rest, its credit goes) takes a step per key of the project.

mod bitmap;
mod bucket;
mod budget;
mod change;
mod choice;
mod key;
mod lease;
mod models;
mod order;
mod policy;
mod pool;
mod probe;
mod random;
mod retry_budget;
mod roster;
mod time;
mod trouble;
mod verdict;
mod view;

pub use crate::budget::{BucketRecord, BucketState, BudgetRecord, NoCredit, Scope};
pub use crate::change::Change;
pub use crate::choice::Refusal;
pub use crate::key::{KeyId, KeyRecord, Kin, ProbePlan, Standing};
pub use crate::lease::LeaseId;
pub use crate::policy::Policy;
pub use crate::pool::Pool;
pub use crate::probe::{Probe, ProbeOutcome, ProbePurpose};
pub use crate::time::Time;
pub use crate::trouble::{Trouble, TroubleKind};
pub use crate::verdict::Verdict;
pub use crate::view::{Counts, KeyView};
