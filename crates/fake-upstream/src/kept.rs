//! What the real service keeps for one project: files, caches, batches, operations, interactions and
//! every other kind, each seen by the project that made it and by no other.
//!
//! A key's project is what follows `-in-` in it, else the key itself. Whoever names what another
//! project keeps is refused in the service's words, and written down: a gateway that knows whose is
//! what leads nobody astray.

mod interactions;
mod time;
mod uploads;

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};

use bytes::Bytes;
use parking_lot::Mutex;
use serde_json::{Value, json};

use crate::{answer::Step, call::Call, events, options::Options, refusal::Refusal};

/// What is kept, once it is asked for.
#[derive(Default)]
pub(crate) struct Kept {
    is_on: AtomicBool,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    things: BTreeMap<String, Thing>,
    uploads: BTreeMap<String, uploads::Upload>,
    made: u64,
    strays: Vec<String>,
}

/// One resource.
struct Thing {
    project: String,
    /// As it is told.
    body: Value,
    /// What a download brings.
    content: Bytes,
    /// When it was made, counted.
    number: u64,
}

/// What is said in place of an ordinary answer.
enum Said {
    /// A body, and header fields besides.
    Body(Value, Vec<(String, String)>),
    /// Steps that are complete.
    Steps(Vec<Step>),
    /// A refusal of the service.
    Refused(Refusal),
    /// This status and this message.
    Error(u16, String),
}

impl Kept {
    /// From here on resources are kept.
    pub(crate) fn begin(&self) {
        self.is_on.store(true, Ordering::SeqCst);
    }

    /// Who named what another project keeps: the key's project and the name.
    pub(crate) fn strays(&self) -> Vec<String> {
        self.state.lock().strays.clone()
    }

    /// The names of all that is kept, with their projects.
    pub(crate) fn all(&self) -> Vec<(String, String)> {
        let state = self.state.lock();
        state.things.iter().map(|(name, it)| (name.clone(), it.project.clone())).collect()
    }

    /// The answer to a call that makes, names or lists something; `None` for all others.
    pub(crate) fn answer(&self, call: &Call<'_>) -> Option<Vec<Step>> {
        if !self.is_on.load(Ordering::SeqCst) || call.dialect != crate::call::Dialect::Gemini {
            return None;
        }
        let asked = Asked::of(call);
        let mut state = self.state.lock();
        let said = match state.named_in_body(call, &asked) {
            Some(refused) => refused,
            None => state.answer(call, &asked)?,
        };
        Some(match said {
            Said::Steps(steps) => steps,
            Said::Refused(refusal) => refusal.steps(call),
            Said::Error(code, message) => {
                let status = if code == 404 { "NOT_FOUND" } else { "INVALID_ARGUMENT" };
                let error = json!({"error": {"code": code, "message": message, "status": status}});
                vec![
                    events::head(code, "application/json; charset=UTF-8"),
                    Step::Bytes(error.to_string().into()),
                ]
            }
            Said::Body(body, fields) => {
                let text = match body.as_object().is_some_and(|it| it.is_empty()) {
                    true => "{}".to_owned(),
                    false => events::with_oddities(&body),
                };
                let mut steps = events::whole(200, text, &Options::default());
                for step in &mut steps {
                    if let Step::Head { headers, .. } = step {
                        headers.extend(fields.iter().cloned());
                    }
                }
                steps
            }
        })
    }
}

/// What a call asks for, taken apart.
struct Asked<'a> {
    method: &'a str,
    /// Whether the path begins with `upload` or `download`.
    transfer: Option<&'a str>,
    version: &'a str,
    segments: Vec<&'a str>,
    verb: Option<&'a str>,
    project: String,
}

impl<'a> Asked<'a> {
    fn of(call: &Call<'a>) -> Self {
        let path = call.request.target.split('?').next().unwrap_or_default();
        let mut segments: Vec<&str> = path.split('/').filter(|it| !it.is_empty()).collect();
        let mut front = |is_wanted: fn(&str) -> bool| {
            segments.first().copied().filter(|it| is_wanted(it)).inspect(|_| {
                segments.remove(0);
            })
        };
        let transfer = front(|it| matches!(it, "upload" | "download"));
        let version = front(|it| it.starts_with("v1")).unwrap_or("v1beta");
        let mut verb = None;
        if let Some(last) = segments.last_mut()
            && let Some((name, behind)) = last.rsplit_once(':')
        {
            (*last, verb) = (name, Some(behind));
        }
        let key = call.key().unwrap_or_default();
        let project = key.rsplit_once("-in-").map_or(key, |(_, project)| project).to_owned();
        Self { method: call.request.method.as_str(), transfer, version, segments, verb, project }
    }
}

impl State {
    fn answer(&mut self, call: &Call<'_>, asked: &Asked<'_>) -> Option<Said> {
        let said = match (asked.method, asked.segments.as_slice(), asked.verb) {
            ("POST" | "PUT", [kind], verb) if asked.transfer == Some("upload") => {
                self.upload(call, asked, (kind, verb))
            }
            ("POST", [kind, id], Some(verb)) if asked.transfer == Some("upload") => {
                let name = [*kind, "/", id].concat();
                match self.seen(&name, asked) {
                    Err(refused) => refused,
                    Ok(_) => self.upload(call, asked, (kind, Some(verb))),
                }
            }
            (
                "POST",
                ["models", model],
                Some("batchGenerateContent" | "asyncBatchEmbedContent"),
            ) => {
                let metadata =
                    json!({"model": format!("models/{model}"), "state": "BATCH_STATE_PENDING"});
                self.make("batches", asked, json!({"metadata": metadata}))
            }
            ("POST", ["models", model], Some("predictLongRunning")) => {
                let kind = format!("models/{model}/operations");
                self.make(&kind, asked, json!({"done": false}))
            }
            ("GET", ["models" | "dynamic", _, "operations", _] | ["batches", _], None) => {
                self.poll(call, asked)
            }
            (_, ["models" | "dynamic", _, "operations", ..], _) => self.of_one(call, asked),
            (_, ["models" | "dynamic", ..], _) => return None,
            (_, ["interactions", ..], _) => self.interaction(call, asked),
            ("POST", [kind], None) => {
                let mut body = call.json().cloned().unwrap_or(json!({}));
                if let (&"files", Some(file)) = (kind, body.get("file")) {
                    body = file.clone();
                }
                self.make(kind, asked, body)
            }
            ("GET", [kind], None) => self.list(call, kind, asked),
            (_, [_, _, ..], _) => self.of_one(call, asked),
            _ => return None,
        };
        Some(said)
    }

    /// Makes one of a kind; its name is the next number's, as no client can guess the real ones.
    fn make(&mut self, kind: &str, asked: &Asked<'_>, body: Value) -> Said {
        let name = self.keep(kind, asked, body, Bytes::new());
        let body = self.things.get(&name).map_or(Value::Null, |thing| thing.body.clone());
        let is_wrapped = kind == "files";
        Said::Body(if is_wrapped { json!({"file": body}) } else { body }, Vec::new())
    }

    fn keep(&mut self, kind: &str, asked: &Asked<'_>, body: Value, content: Bytes) -> String {
        self.made += 1;
        let mut body = if kind == "interactions" { body } else { camel_cased(body) };
        let chosen = body.get("name").and_then(Value::as_str).filter(|it| it.contains('/'));
        let name = match chosen {
            Some(name) => name.to_owned(),
            None => format!("{kind}/made-{}", self.made),
        };
        if let Some(fields) = body.as_object_mut() {
            fields.remove("contents");
            fields.insert("name".to_owned(), name.clone().into());
            let hour_ahead = time::rfc3339(60 * 60).into();
            match kind {
                "files" => {
                    let host = "https://generativelanguage.googleapis.com";
                    let uri = format!("{host}/{}/{name}", asked.version);
                    fields.insert("uri".to_owned(), uri.into());
                    fields.insert("state".to_owned(), "ACTIVE".into());
                    let end = time::rfc3339(48 * 60 * 60).into();
                    fields.insert("expirationTime".to_owned(), end);
                }
                "cachedContents" => {
                    fields.insert("expireTime".to_owned(), hour_ahead);
                }
                _ => {}
            }
        }
        let project = asked.project.clone();
        let number = self.made;
        self.things.insert(name.clone(), Thing { project, body, content, number });
        name
    }

    /// What this project keeps under a name; a stray is written down.
    fn seen(&mut self, name: &str, asked: &Asked<'_>) -> Result<&mut Thing, Said> {
        let refused = match name.split('/').next() {
            Some("files") => Said::Refused(Refusal::FileDenied),
            Some("cachedContents") => Said::Refused(Refusal::CacheDenied),
            Some(_) | None => Said::Error(404, format!("{name} was not found.")),
        };
        match self.things.get_mut(name) {
            Some(thing) if thing.project == asked.project => Ok(thing),
            Some(_) => {
                self.strays.push(format!("{} named {name}", asked.project));
                Err(refused)
            }
            None => Err(refused),
        }
    }

    /// Refuses a body that names what this project does not keep.
    fn named_in_body(&mut self, call: &Call<'_>, asked: &Asked<'_>) -> Option<Said> {
        let mut names = Vec::new();
        collect(call.json()?, None, &mut names);
        names.into_iter().find_map(|name| self.seen(&name, asked).err())
    }

    fn of_one(&mut self, call: &Call<'_>, asked: &Asked<'_>) -> Said {
        let depth = if asked.segments.first() == Some(&"models") { 4 } else { 2 };
        let name = asked.segments.iter().take(depth).copied().collect::<Vec<_>>().join("/");
        let thing = match self.seen(&name, asked) {
            Err(refused) => return refused,
            Ok(thing) => thing,
        };
        let is_below = asked.segments.len() > depth;
        match (asked.method, asked.verb) {
            ("GET", Some("download")) => {
                let head = Step::Head {
                    status: 200,
                    headers: vec![(
                        "content-type".to_owned(),
                        "application/octet-stream".to_owned(),
                    )],
                };
                Said::Steps(vec![head, Step::Bytes(thing.content.clone())])
            }
            ("DELETE", _) if !is_below => {
                self.things.remove(&name);
                Said::Body(json!({}), Vec::new())
            }
            ("PATCH", _) if !is_below => {
                if let (Some(fields), Some(Value::Object(patch))) =
                    (thing.body.as_object_mut(), call.json())
                {
                    fields.extend(patch.clone());
                }
                Said::Body(thing.body.clone(), Vec::new())
            }
            ("POST", Some("cancel")) if name.starts_with("batches/") => {
                if let Some(metadata) =
                    thing.body.get_mut("metadata").and_then(Value::as_object_mut)
                {
                    metadata.insert("state".to_owned(), "BATCH_STATE_CANCELLED".into());
                }
                Said::Body(json!({}), Vec::new())
            }
            ("POST", Some("importFile" | "uploadToFileSearchStore")) => {
                let operation = format!("{name}/operations/import-1");
                Said::Body(json!({"name": operation, "done": true}), Vec::new())
            }
            ("POST", Some(_)) => Said::Body(json!({}), Vec::new()),
            _ => Said::Body(thing.body.clone(), Vec::new()),
        }
    }

    /// How far an operation is: whoever asks finds it done, with a file of the same project that has
    /// its results.
    fn poll(&mut self, call: &Call<'_>, asked: &Asked<'_>) -> Said {
        let name = asked.segments.join("/");
        let is_done = match self.seen(&name, asked) {
            Err(refused) => return refused,
            Ok(thing) => {
                let is_over = thing
                    .body
                    .pointer("/metadata/state")
                    .is_some_and(|it| it != "BATCH_STATE_PENDING");
                is_over || thing.body.get("done") == Some(&Value::Bool(true))
            }
        };
        if is_done {
            return self.of_one(call, asked);
        }
        let about = json!({"displayName": format!("results of {name}")});
        let content = Bytes::from(format!("what came of {name}"));
        let file = self.keep("files", asked, about, content);
        if let Some(fields) =
            self.things.get_mut(&name).and_then(|thing| thing.body.as_object_mut())
        {
            fields.insert("done".to_owned(), true.into());
            let response = if name.starts_with("batches/") {
                if let Some(metadata) = fields.get_mut("metadata").and_then(Value::as_object_mut) {
                    metadata.insert("state".to_owned(), "BATCH_STATE_SUCCEEDED".into());
                    metadata.insert("output".to_owned(), json!({"responsesFile": file}));
                }
                json!({"responsesFile": file})
            } else {
                let host = "https://generativelanguage.googleapis.com";
                let uri = format!("{host}/{}/{file}:download?alt=media", asked.version);
                json!({"generateVideoResponse": {"generatedSamples": [{"video": {"uri": uri}}]}})
            };
            fields.insert("response".to_owned(), response);
        }
        self.of_one(call, asked)
    }

    /// A page of what this project keeps of a kind, the latest first.
    fn list(&self, call: &Call<'_>, kind: &str, asked: &Asked<'_>) -> Said {
        let number = |name: &str| call.parameter(name)?.parse::<usize>().ok();
        let prefix = format!("{kind}/");
        let mut own: Vec<_> = self
            .things
            .iter()
            .filter(|(name, thing)| name.starts_with(&prefix) && thing.project == asked.project)
            .map(|(_, thing)| thing)
            .collect();
        own.sort_by_key(|thing| std::cmp::Reverse(thing.number));
        let start = number("pageToken").unwrap_or(0);
        let size = number("pageSize").filter(|size| *size > 0).unwrap_or(10).min(100);
        let page: Vec<Value> =
            own.iter().skip(start).take(size).map(|thing| thing.body.clone()).collect();
        let next = start + page.len();
        if page.is_empty() {
            return Said::Body(json!({}), Vec::new());
        }
        let member = if kind == "batches" { "operations" } else { kind };
        let mut listed = json!({member: page});
        if let (true, Some(fields)) = (next < own.len(), listed.as_object_mut()) {
            fields.insert("nextPageToken".to_owned(), next.to_string().into());
        }
        Said::Body(listed, Vec::new())
    }
}

/// A body as the service tells it, which takes both spellings and gives one.
fn camel_cased(value: Value) -> Value {
    match value {
        Value::Object(fields) => {
            let renamed = |(key, value): (String, Value)| {
                let mut words = key.split('_');
                let first = words.next().unwrap_or_default().to_owned();
                let key = words.fold(first, |key, word| {
                    let mut letters = word.chars();
                    let initial = letters.next().map(|it| it.to_ascii_uppercase());
                    key + &initial.into_iter().chain(letters).collect::<String>()
                });
                (key, camel_cased(value))
            };
            fields.into_iter().map(renamed).collect()
        }
        Value::Array(items) => items.into_iter().map(camel_cased).collect(),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => value,
    }
}

/// The names in a body, as the service reads them.
fn collect(value: &Value, key: Option<&str>, names: &mut Vec<String>) {
    match value {
        Value::Object(fields) => {
            fields.iter().for_each(|(key, value)| collect(value, Some(key), names));
        }
        Value::Array(items) => items.iter().for_each(|item| collect(item, key, names)),
        Value::String(text) => {
            let below = text.rsplit_once("/files/").map(|(_, id)| format!("files/{id}"));
            let name = match key {
                Some("fileUri" | "file_uri" | "uri") => below.or_else(|| Some(text.clone())),
                Some("fileName" | "file_name" | "cachedContent" | "cached_content") => {
                    Some(text.clone())
                }
                Some("fileSearchStoreNames" | "file_search_store_names") => Some(text.clone()),
                Some("previous_interaction_id") => Some(format!("interactions/{text}")),
                Some(_) | None => None,
            };
            names.extend(name.filter(|name| name.contains('/') && !name.contains("://")));
        }
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}
