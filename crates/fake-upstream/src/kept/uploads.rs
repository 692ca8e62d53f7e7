//! Uploads, with the odd rules of the resumable protocol.

use bytes::{Bytes, BytesMut};
use serde_json::{Value, json};

use super::{Asked, Said, State};
use crate::{call::Call, http};

/// The size of which all pieces but the last must be multiples.
const GRANULARITY: u64 = 256 * 1024;

/// An upload that has begun.
pub(super) struct Upload {
    project: String,
    kind: String,
    verb: Option<String>,
    /// What the file is said to be.
    about: Value,
    /// How many bytes have come.
    received: u64,
    /// Told by the beginning; the end must agree.
    declared: Option<u64>,
    /// A few bytes of each piece that was too large to be kept.
    sample: u64,
    content: BytesMut,
}

impl State {
    /// Begins an upload, goes on with one, or takes a file whole.
    pub(super) fn upload(
        &mut self,
        call: &Call<'_>,
        asked: &Asked<'_>,
        (kind, verb): (&str, Option<&str>),
    ) -> Said {
        let field = |name: &str| http::values(&call.request.headers, name).next();
        let command = field("x-goog-upload-command").unwrap_or_default();
        if let Some(id) = call.parameter("upload_id") {
            return self.go_on(call, asked, &id);
        }
        if !command.split(',').any(|word| word.trim() == "start") {
            return self.take_whole(call, asked, kind);
        }
        self.made += 1;
        let id = format!("upload-{}", self.made);
        let about = call.json().and_then(|body| body.get("file")).cloned().unwrap_or(json!({}));
        let declared =
            field("x-goog-upload-header-content-length").and_then(|length| length.parse().ok());
        self.uploads.insert(
            id.clone(),
            Upload {
                project: asked.project.clone(),
                kind: kind.to_owned(),
                verb: verb.map(str::to_owned),
                about,
                received: 0,
                declared,
                sample: 0,
                content: BytesMut::new(),
            },
        );
        let host = "https://generativelanguage.googleapis.com";
        let path = call.request.target.split('?').next().unwrap_or_default();
        let url = format!("{host}{path}?upload_id={id}&upload_protocol=resumable");
        let fields = vec![
            ("X-Goog-Upload-URL".to_owned(), url.clone()),
            ("X-Goog-Upload-Control-URL".to_owned(), url),
            ("X-Goog-Upload-Chunk-Granularity".to_owned(), GRANULARITY.to_string()),
            ("X-Goog-Upload-Status".to_owned(), "active".to_owned()),
        ];
        Said::Body(json!({}), fields)
    }

    /// A file that comes whole: alone, or behind its description.
    fn take_whole(&mut self, call: &Call<'_>, asked: &Asked<'_>, kind: &str) -> Said {
        let body = &call.request.body;
        let about = json!({"sizeBytes": call.request.length.to_string()});
        let name = self.keep(kind, asked, about, body.clone());
        Said::Body(json!({"file": self.things.get(&name).map(|it| &it.body)}), Vec::new())
    }

    fn go_on(&mut self, call: &Call<'_>, asked: &Asked<'_>, id: &str) -> Said {
        let field = |name: &str| http::values(&call.request.headers, name).next();
        let command = field("x-goog-upload-command").unwrap_or_default();
        let has = |word: &str| command.split(',').any(|it| it.trim() == word);
        let Some(upload) = self.uploads.get_mut(id) else {
            return Said::Error(404, "Upload not found.".to_owned());
        };
        if upload.project != asked.project {
            self.strays.push(format!("{} went on with {id}", asked.project));
            return Said::Error(404, "Upload not found.".to_owned());
        }
        let status = |status: &str| ("X-Goog-Upload-Status".to_owned(), status.to_owned());
        if has("query") {
            let received = upload.received.to_string();
            let size = ("X-Goog-Upload-Size-Received".to_owned(), received);
            return Said::Body(json!({}), vec![status("active"), size]);
        }
        if has("cancel") {
            self.uploads.remove(id);
            return Said::Body(json!({}), vec![status("cancelled")]);
        }
        let request = call.request;
        if has("upload") {
            let offset = field("x-goog-upload-offset").and_then(|it| it.parse::<u64>().ok());
            if offset != Some(upload.received) {
                let message = format!("{offset:?} is not the offset {}.", upload.received);
                return Said::Error(400, message);
            }
            upload.received += request.length;
            upload.sample = upload.sample.wrapping_mul(31).wrapping_add(request.sample);
            upload.content.extend_from_slice(&request.body);
        }
        if !has("finalize") {
            if !request.length.is_multiple_of(GRANULARITY) {
                return Said::Error(400, "The piece is no multiple of the granularity.".to_owned());
            }
            return Said::Body(json!({}), vec![status("active")]);
        }
        if upload.declared.is_some_and(|declared| declared != upload.received) {
            return Said::Error(400, "The size is not the one that was declared.".to_owned());
        }
        let Some(upload) = self.uploads.remove(id) else { return Said::Body(json!({}), vec![]) };
        if upload.verb.is_some() {
            let name = asked.segments.join("/");
            let operation = format!("{name}/upload/operations/upload-1");
            return Said::Body(json!({"name": operation, "done": true}), vec![status("final")]);
        }
        let mut about = upload.about;
        if let Some(fields) = about.as_object_mut() {
            fields.insert("sizeBytes".to_owned(), upload.received.to_string().into());
            fields.insert("sample".to_owned(), upload.sample.to_string().into());
        }
        let content: Bytes = upload.content.freeze();
        let name = self.keep(&upload.kind, asked, about, content);
        let file = json!({"file": self.things.get(&name).map(|it| &it.body)});
        Said::Body(file, vec![status("final")])
    }
}
