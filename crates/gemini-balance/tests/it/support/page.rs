//! A page that is open: it reads the events of a gateway one by one.

use std::collections::VecDeque;

use http::Method;
use serde_json::Value;

use crate::support::{Client, PATIENCE, Stream};

/// A stream of events that is being read.
pub(crate) struct Page {
    stream: Stream,
    /// The beginning of an event that has not come in full.
    rest: String,
    read: VecDeque<Told>,
}

/// One event.
#[derive(Debug, Clone)]
pub(crate) struct Told {
    /// Empty for an event without one.
    pub(crate) id: String,
    pub(crate) name: String,
    pub(crate) data: Value,
}

impl Page {
    /// Opens the events and reads the first one, which says that they come.
    pub(crate) async fn open(client: &Client) -> Self {
        let mut page = Self::open_at(client, "/api/events").await;
        let ready = page.any().await;
        assert_eq!(ready.name, "ready");
        page
    }

    /// Opens the events under this address.
    pub(crate) async fn open_at(client: &Client, path: &str) -> Self {
        let stream = client.open(Method::GET, path, "").await;
        assert_eq!(stream.status(), 200);
        assert_eq!(stream.headers()["content-type"], "text/event-stream; charset=utf-8");
        Self { stream, rest: String::new(), read: VecDeque::new() }
    }

    /// The data of the next event of a name, passing over others.
    pub(crate) async fn next(&mut self, name: &str) -> Value {
        loop {
            let told = self.any().await;
            if told.name == name {
                return told.data;
            }
        }
    }

    /// The data of the next event of a name that is as it should be, passing over others.
    pub(crate) async fn until(&mut self, name: &str, is_meant: impl Fn(&Value) -> bool) -> Value {
        loop {
            let data = self.next(name).await;
            if is_meant(&data) {
                return data;
            }
        }
    }

    /// The next event. A sign of life is none, so the stream alone would go on for ever.
    pub(crate) async fn any(&mut self) -> Told {
        let coming = tokio::time::timeout(PATIENCE, self.read_one()).await;
        coming.expect("no event in time")
    }

    async fn read_one(&mut self) -> Told {
        loop {
            if let Some(told) = self.read.pop_front() {
                return told;
            }
            let piece = self.stream.next().await.expect("the events go on");
            self.rest.push_str(std::str::from_utf8(&piece).unwrap());
            while let Some((event, rest)) = self.rest.split_once("\n\n") {
                self.read.extend(told(event));
                self.rest = rest.to_owned();
            }
        }
    }
}

/// `None` for a sign of life.
fn told(event: &str) -> Option<Told> {
    let field = |name: &str| {
        let line = event.lines().find_map(|line| line.strip_prefix(name));
        line.unwrap_or_default().trim().to_owned()
    };
    let data = field("data:");
    (!data.is_empty()).then(|| Told {
        id: field("id:"),
        name: field("event:"),
        data: serde_json::from_str(&data).unwrap(),
    })
}
