//! The events: what happens to keys, jobs and requests, told to whoever has a page open.
//!
//! The last ones are kept, so that a page whose connection broke goes on where it was. Nothing is
//! told from the path of a request: the pool's events come from the task that remembers, those of
//! requests from the journal's thread.

use std::sync::OnceLock;

use serde::Serialize;

use crate::feed::{Begin, Feed, Item, Kept, Subscription, TooManySubscribers};

/// Events that are kept: some minutes, as each source tells at most ten a second, or fewer if much
/// happens at once.
const KEPT: Kept = Kept { items_max: 4_096, bytes_max: 1 << 20 };

/// What an event is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Topic {
    /// How keys and buckets stand.
    Pool,
    /// Many keys fail alike, or no longer do.
    Trouble,
    /// Which keys there are, and what an admin says of them.
    Keys,
    /// How far a job is.
    Job,
    /// Requests that have ended.
    Requests,
}

impl Topic {
    /// The name of its events.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Pool => "pool",
            Self::Trouble => "trouble",
            Self::Keys => "keys",
            Self::Job => "job",
            Self::Requests => "requests",
        }
    }
}

/// One event.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Event {
    /// Counts up without gaps, also across restarts: a later event has a larger id.
    pub id: u64,
    /// What it is about.
    pub topic: Topic,
    /// What has happened, as JSON on one line.
    pub data: Box<str>,
}

impl Item for Event {
    fn bytes(&self) -> usize {
        size_of::<Self>() + self.data.len()
    }
}

/// The shared events; clones are handles to the same ones.
#[derive(Clone, Debug)]
pub struct Events(Feed<Event>);

impl Events {
    /// None yet. Ids begin at `now_ms`, so that they are larger than those before a restart.
    #[must_use]
    pub fn new(now_ms: i64) -> Self {
        Self(Feed::new(KEPT, u64::try_from(now_ms).unwrap_or_default()))
    }

    /// Tells what has happened.
    pub fn tell(&self, topic: Topic, news: &impl Serialize) {
        match serde_json::to_string(news) {
            Ok(data) => drop(self.0.publish(|id| Event { id, topic, data: data.into() })),
            Err(error) => tracing::error!(%error, "an event could not be written"),
        }
    }

    /// Watches: behind the event of this id if one is given, otherwise what is yet to come.
    ///
    /// # Errors
    ///
    /// [`TooManySubscribers`] when too many are watching.
    pub fn subscribe(
        &self,
        after_id: Option<u64>,
    ) -> Result<Subscription<Event>, TooManySubscribers> {
        self.0.subscribe(after_id.map_or(Begin::AtTheNext, Begin::After))
    }
}

/// Events that can be told once there is somebody who tells them on.
#[derive(Debug, Default)]
pub struct Teller(OnceLock<Events>);

impl Teller {
    /// From here on events are told; a second call changes nothing.
    pub fn tell_to(&self, events: Events) {
        drop(self.0.set(events));
    }

    /// Where to tell, if anywhere.
    #[must_use]
    pub fn events(&self) -> Option<&Events> {
        self.0.get()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::feed::Seen;

    #[tokio::test]
    async fn a_page_sees_what_comes_and_after_a_break_what_it_missed() {
        let events = Events::new(7);
        events.tell(Topic::Job, &1);
        let mut page = events.subscribe(None).unwrap();
        events.tell(Topic::Pool, &vec!["a\nb"]);
        events.tell(Topic::Job, &3);

        let first = page.next().await;
        let mut again = events.subscribe(Some(8)).unwrap();

        let event =
            |id, topic, data: &str| Seen::Item(Arc::new(Event { id, topic, data: data.into() }));
        assert_eq!(first, Some(event(8, Topic::Pool, r#"["a\nb"]"#)));
        assert_eq!(again.next().await, Some(event(9, Topic::Job, "3")));
        assert!(again.is_gapless());
    }
}
