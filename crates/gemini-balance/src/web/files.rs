//! The table of files, made once at the start and never again.

use std::collections::HashMap;

use bytes::Bytes;
use sha2::{Digest, Sha256};

use crate::web::encoding::Encoding;

/// What a release build carries; empty in others, which read the folder.
static BUILT_IN: &[(&str, &[u8])] = include!(concat!(env!("OUT_DIR"), "/web_files.rs"));

/// Where everything lies whose name changes with its content.
pub(super) const HASHED: &str = "/_app/immutable/";
/// Bytes of a digest in a tag: enough that no two contents share one.
const TAG_BYTES: usize = 8;

/// Files by their path.
#[derive(Debug)]
pub(super) struct Files {
    by_path: HashMap<String, File>,
}

/// A file in all its forms.
#[derive(Debug)]
pub(super) struct File {
    plain: Bytes,
    gzip: Option<Bytes>,
    brotli: Option<Bytes>,
    content_type: &'static str,
    tag: String,
}

impl Files {
    /// What was built into the program, else what lies beside its source.
    pub(super) fn load() -> Self {
        if cfg!(debug_assertions) {
            Self::new(beside_the_source())
        } else {
            Self::of(BUILT_IN.iter().copied())
        }
    }

    /// A table of these, which stay where they are: nothing is copied into memory.
    pub(super) fn of(files: impl IntoIterator<Item = (&'static str, &'static [u8])>) -> Self {
        let files = files.into_iter();
        Self::new(files.map(|(path, bytes)| (path.to_owned(), Bytes::from_static(bytes))).collect())
    }

    fn new(mut all: HashMap<String, Bytes>) -> Self {
        let is_plain = |path: &String| !path.ends_with(".br") && !path.ends_with(".gz");
        let paths: Vec<String> = all.keys().filter(|path| is_plain(path)).cloned().collect();
        let mut by_path = HashMap::with_capacity(paths.len());
        for path in paths {
            let gzip = all.remove(&format!("{path}.gz"));
            let brotli = all.remove(&format!("{path}.br"));
            if let Some(plain) = all.remove(&path) {
                let file = File { gzip, brotli, ..File::new(&path, plain) };
                by_path.insert(path, file);
            }
        }
        Self { by_path }
    }

    pub(super) fn get(&self, path: &str) -> Option<&File> {
        self.by_path.get(path)
    }

    pub(super) fn take(&mut self, path: &str) -> Option<File> {
        self.by_path.remove(path)
    }
}

impl File {
    /// A file that has one form only.
    pub(super) fn new(path: &str, plain: Bytes) -> Self {
        let tag = match path.strip_prefix(HASHED) {
            // Its name says it, and nothing is read before somebody asks for it.
            Some(name) => name.replace('/', "-"),
            None => digest_of(&plain),
        };
        Self { plain, gzip: None, brotli: None, content_type: content_type(path), tag }
    }

    pub(super) fn plain(&self) -> &Bytes {
        &self.plain
    }

    pub(super) fn content_type(&self) -> &'static str {
        self.content_type
    }

    pub(super) fn has(&self, encoding: Encoding) -> bool {
        match encoding {
            Encoding::Plain => true,
            Encoding::Gzip => self.gzip.is_some(),
            Encoding::Brotli => self.brotli.is_some(),
        }
    }

    /// The file in a form that it has; else as it is.
    pub(super) fn bytes(&self, encoding: Encoding) -> Bytes {
        let variant = match encoding {
            Encoding::Plain => None,
            Encoding::Gzip => self.gzip.as_ref(),
            Encoding::Brotli => self.brotli.as_ref(),
        };
        variant.unwrap_or(&self.plain).clone()
    }

    /// Names the content and its form.
    pub(super) fn etag(&self, encoding: Encoding) -> String {
        format!(
            "\"{}{}\"",
            self.tag,
            encoding.name().map_or(String::new(), |name| format!("-{name}"))
        )
    }
}

/// The first characters of a digest.
fn digest_of(bytes: &[u8]) -> String {
    let digest = Sha256::digest(bytes);
    digest.iter().take(TAG_BYTES).map(|byte| format!("{byte:02x}")).collect()
}

fn content_type(path: &str) -> &'static str {
    match path.rsplit('.').next().unwrap_or_default() {
        "html" => "text/html; charset=utf-8",
        "js" => "text/javascript; charset=utf-8",
        "css" => "text/css; charset=utf-8",
        "json" => "application/json",
        "svg" => "image/svg+xml",
        "png" => "image/png",
        "ico" => "image/x-icon",
        "woff2" => "font/woff2",
        "txt" => "text/plain; charset=utf-8",
        _ => "application/octet-stream",
    }
}

/// Every file below `web/build`; none if there is no such folder. A link is no file.
fn beside_the_source() -> HashMap<String, Bytes> {
    let root = std::path::Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../../web/build"));
    let mut found = HashMap::new();
    let mut folders = vec![root.to_owned()];
    while let Some(folder) = folders.pop() {
        let Ok(entries) = std::fs::read_dir(folder) else { continue };
        for entry in entries.flatten() {
            let (path, Ok(kind)) = (entry.path(), entry.file_type()) else { continue };
            if kind.is_dir() {
                folders.push(path);
            } else if let (true, Ok(bytes)) = (kind.is_file(), std::fs::read(&path)) {
                let name = path.strip_prefix(root).unwrap_or(&path);
                found.insert(format!("/{}", name.display()), Bytes::from(bytes));
            }
        }
    }
    found
}
