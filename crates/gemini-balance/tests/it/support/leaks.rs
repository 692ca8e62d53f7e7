//! Where secrets would show: everything that a gateway has put out when a test ends.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use gemini_balance::admin::{self, Access};
use gemini_balance::feed::Seen;
use http::Method;

use crate::support::canary::KEYS_MAX;
use crate::support::{Canaries, Client, Gateway, Kind, Spoken};

/// Answers that go on for as long as somebody listens.
const STREAMS: [&str; 2] = ["/api/events", "/api/logs/sse"];

impl Gateway {
    /// Every secret that can be seen, with its place.
    pub(crate) async fn leaks(&self) -> Vec<String> {
        let app = self.app();
        for (key, _) in app.pool.views().iter().take(KEYS_MAX) {
            self.canaries.learn(key.secret.expose());
        }
        let mut leaks = Vec::new();
        let mut search = |place: &str, bytes: &[u8], may_hold: &[Kind]| {
            let found = self.canaries.leaks(bytes, may_hold);
            leaks.extend(found.into_iter().map(|secret| format!("{secret} in {place}")));
        };
        search("the log", &Spoken::listen().since(self.silent_bytes), &[]);
        search("the metrics", admin::metrics_page(app).as_bytes(), &[]);
        for line in self.live_lines().await {
            search("the live log", line.as_bytes(), &[]);
        }
        for event in self.events_told().await {
            search("the events", event.as_bytes(), &[]);
        }
        for (path, answer) in self.admin_pages().await {
            search(&path, &answer, &[]);
        }
        for (path, bytes) in files(self.directory.path()) {
            let may_hold = may_hold(&path);
            search(&path.display().to_string(), &bytes, may_hold);
        }
        leaks
    }

    async fn live_lines(&self) -> Vec<String> {
        let mut lines = Vec::new();
        let Ok(mut watcher) = self.app().live.subscribe(None) else { return lines };
        while let Ok(Some(Seen::Item(line))) =
            tokio::time::timeout(Duration::ZERO, watcher.next()).await
        {
            lines.push(serde_json::to_string(&*line).unwrap());
        }
        lines
    }

    async fn events_told(&self) -> Vec<String> {
        let mut told = Vec::new();
        let Ok(mut watcher) = self.app().events.subscribe(Some(0)) else { return told };
        while let Ok(Some(Seen::Item(event))) =
            tokio::time::timeout(Duration::ZERO, watcher.next()).await
        {
            told.push(event.data.to_string());
        }
        told
    }

    /// What an admin sees who looks at everything.
    async fn admin_pages(&self) -> Vec<(String, Vec<u8>)> {
        let app = self.app();
        // A test may have left a database that takes no session.
        let Ok(session) = app.sessions.begin(app.clock.wall_ms()).await else { return Vec::new() };
        // A client that does not mind by itself, so that every leak is told with its place.
        let unwatched = Arc::<Canaries>::default();
        let admin = Client::watched(self.address(), &unwatched).bearer(&session.token);
        let mut pages = Vec::new();
        let table = admin::table(app);
        let looks = table.iter().filter(|route| {
            let is_page = route.method() == Method::GET && route.access == Access::Admin;
            is_page && route.alias_of.is_none() && !route.path.contains('{')
        });
        for path in looks.map(|route| route.path).filter(|path| !STREAMS.contains(path)) {
            pages.push((path.to_owned(), admin.get(path).await.body.to_vec()));
        }
        pages
    }
}

/// What a file on the disk is for: the database keeps hashes of passwords, `secrets` the keys to
/// everything.
pub(crate) fn may_hold(path: &Path) -> &'static [Kind] {
    let name = path.file_name().unwrap().to_string_lossy();
    if name.contains(".db") || name.contains(".backup") { &[Kind::PasswordHash] } else { &[] }
}

/// Every file below a directory but `secrets` and what is kept or may be left of it, with its bytes.
pub(crate) fn files(directory: &Path) -> Vec<(PathBuf, Vec<u8>)> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(directory).into_iter().flatten().flatten() {
        let path = entry.path();
        if path.is_dir() {
            found.extend(files(&path));
        } else if path.file_name().is_some_and(|name| !is_of_secrets(name))
            && let Ok(bytes) = std::fs::read(&path)
        {
            found.push((path, bytes));
        }
    }
    found
}

fn is_of_secrets(name: &OsStr) -> bool {
    // What a restore writes for the admin holds every setting.
    let is_restored = name == "restored.env";
    is_restored || name == "secrets" || name.as_encoded_bytes().starts_with(b"secrets.")
}
