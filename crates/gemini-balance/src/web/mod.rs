//! The web UI: its built files out of memory, its one page under every path that is a page.
//!
//! What is not in the table of files does not exist, whatever its path looks like: no request
//! reaches a file system. Without a built UI, the pages are a plain notice.

mod encoding;
mod files;
mod notice;

use bytes::Bytes;
use http::header::{
    ACCEPT, ALLOW, CACHE_CONTROL, CONTENT_ENCODING, CONTENT_SECURITY_POLICY, CONTENT_TYPE, ETAG,
    IF_NONE_MATCH, VARY,
};
use http::request::Parts;
use http::{HeaderMap, HeaderName, HeaderValue, Method, Response, StatusCode};

use crate::web::encoding::Encoding;
use crate::web::files::{File, Files, HASHED};

/// The first segments of the paths that are pages; `web/src/routes` has a folder for each.
const PAGES: [&str; 10] = [
    "",
    "auth-keys",
    "login",
    "moving-in",
    "realtime-logs",
    "request-keys",
    "request-logs",
    "resources",
    "settings",
    "stats",
];
/// The page that shows every page.
const SHELL: &str = "/index.html";
const ROBOTS: &[u8] = b"User-agent: *\nDisallow: /\n";
/// Segments under which a person never looks for a page.
const NEVER_PAGES: [&str; 9] =
    ["_app", "api", "health", "healthz", "metrics", "ready", "readyz", "v1", "v1beta"];

/// The built web UI, or what stands in for it.
#[derive(Debug)]
pub struct Web {
    files: Files,
    shell: File,
    robots: File,
    policy: HeaderValue,
}

impl Web {
    /// Takes what was built into the program, or lies beside its source in builds for development.
    pub fn load() -> Self {
        Self::new(Files::load())
    }

    fn new(mut files: Files) -> Self {
        let (shell, policy) = match files.take(SHELL) {
            Some(shell) => {
                let policy = policy_of(&String::from_utf8_lossy(shell.plain()));
                (shell, policy)
            }
            None => (notice::page(), notice::policy()),
        };
        // Made of hashes and fixed words, so it always is one.
        let policy = HeaderValue::try_from(policy)
            .unwrap_or(HeaderValue::from_static("default-src 'none'; frame-ancestors 'none'"));
        let robots = File::new("/robots.txt", Bytes::from_static(ROBOTS));
        Self { files, shell, robots, policy }
    }

    /// Answers a request for a page or a file.
    pub(crate) fn answer(&self, head: &Parts) -> Response<Bytes> {
        if !matches!(head.method, Method::GET | Method::HEAD) {
            let mut response = Response::new(Bytes::new());
            *response.status_mut() = StatusCode::METHOD_NOT_ALLOWED;
            response.headers_mut().insert(ALLOW, HeaderValue::from_static("GET, HEAD"));
            return response;
        }
        let path = head.uri.path();
        match self.files.get(path) {
            Some(file) => self.serve(file, path, head, StatusCode::OK),
            None if is_page(path) => self.serve(&self.shell, path, head, StatusCode::OK),
            None if path == "/robots.txt" => self.serve(&self.robots, path, head, StatusCode::OK),
            None if path == "/favicon.ico" => {
                let mut response = Response::new(Bytes::new());
                *response.status_mut() = StatusCode::NO_CONTENT;
                self.protect(response.headers_mut());
                response
            }
            None => self.lost(head),
        }
    }

    /// The page that says that there is no such page.
    pub(crate) fn lost(&self, head: &Parts) -> Response<Bytes> {
        self.serve(&self.shell, head.uri.path(), head, StatusCode::NOT_FOUND)
    }

    fn serve(&self, file: &File, path: &str, head: &Parts, status: StatusCode) -> Response<Bytes> {
        let encoding = Encoding::choose(&head.headers, file);
        let etag = file.etag(encoding);
        let is_known = status == StatusCode::OK && is_known(&head.headers, &etag);
        let mut response =
            Response::new(if is_known { Bytes::new() } else { file.bytes(encoding) });
        *response.status_mut() = if is_known { StatusCode::NOT_MODIFIED } else { status };
        let headers = response.headers_mut();
        self.protect(headers);
        let cache = if path.starts_with(HASHED) {
            "public, max-age=31536000, immutable"
        } else {
            "no-cache"
        };
        headers.insert(CACHE_CONTROL, HeaderValue::from_static(cache));
        headers.insert(VARY, HeaderValue::from_static("accept-encoding"));
        if let Ok(etag) = HeaderValue::try_from(etag) {
            headers.insert(ETAG, etag);
        }
        if is_known {
            return response;
        }
        headers.insert(CONTENT_TYPE, HeaderValue::from_static(file.content_type()));
        if let Some(name) = encoding.name() {
            headers.insert(CONTENT_ENCODING, HeaderValue::from_static(name));
        }
        response
    }

    /// What keeps a browser from doing more with an answer than is meant.
    fn protect(&self, headers: &mut HeaderMap) {
        headers.insert(CONTENT_SECURITY_POLICY, self.policy.clone());
        for name in ["cross-origin-opener-policy", "cross-origin-resource-policy"] {
            headers.insert(HeaderName::from_static(name), HeaderValue::from_static("same-origin"));
        }
    }
}

/// Whether a path is for the web UI: a page, or a file of it.
pub(crate) fn is_ours(path: &str) -> bool {
    is_page(path)
        || path.starts_with("/_app/")
        || matches!(path, "/favicon.ico" | "/favicon.svg" | "/robots.txt")
}

/// Whether it is a person with a browser who has come to a path that is nothing at all.
pub(crate) fn is_lost(headers: &HeaderMap, method: &Method, path: &str) -> bool {
    let accept = headers.get(ACCEPT).map_or(&[][..], HeaderValue::as_bytes);
    *method == Method::GET
        && accept.starts_with(b"text/html")
        && !path.starts_with("//")
        && path.split('/').all(|segment| !NEVER_PAGES.contains(&segment))
        && dialect::path::resolve(path, "GET", &dialect::path::Asker::default())
            == Err(dialect::path::PathError::NotOurs)
}

fn is_page(path: &str) -> bool {
    let first = path.strip_prefix('/').map(|path| path.split('/').next().unwrap_or_default());
    first.is_some_and(|first| PAGES.contains(&first)) && !path.starts_with("//")
}

/// Whether the browser has this very content.
fn is_known(headers: &HeaderMap, etag: &str) -> bool {
    let known = headers.get_all(IF_NONE_MATCH).iter().filter_map(|value| value.to_str().ok());
    known
        .flat_map(|value| value.split(','))
        .map(|value| value.trim().trim_start_matches("W/"))
        .any(|value| value == etag || value == "*")
}

/// Style attributes in markup that is not ours to change: where SvelteKit tells the title of the next
/// page to those who cannot see it, and what bits-ui wraps around what floats. When one of the two
/// changes its words, the browser complains, and with it every test in it.
const STYLE_ATTRIBUTES: [&str; 2] = [
    "position: absolute; left: 0; top: 0; clip: rect(0 0 0 0); clip-path: inset(50%); overflow: hidden; \
     white-space: nowrap; width: 1px; height: 1px",
    "display: contents;",
];

/// Lets through what the page brings along, its scripts by their hashes, and our own files; no
/// other origin. Of style attributes only those two may stand; whatever else is set, scripts set.
fn policy_of(page: &str) -> String {
    use base64::{Engine, engine::general_purpose::STANDARD};
    use sha2::{Digest, Sha256};

    let scripts = page.split("<script>").skip(1).filter_map(|rest| rest.split("</script>").next());
    let hash = |text: &str| format!(" 'sha256-{}'", STANDARD.encode(Sha256::digest(text)));
    let hashes: String = scripts.map(hash).collect();
    let styles: String = STYLE_ATTRIBUTES.into_iter().map(hash).collect();
    format!(
        "default-src 'none'; script-src 'self'{hashes}; style-src 'self'; style-src-attr \
         'unsafe-hashes'{styles}; img-src 'self' data:; font-src 'self'; connect-src 'self'; base-uri \
         'none'; form-action 'none'; frame-ancestors 'none'"
    )
}

#[cfg(test)]
mod tests {
    use http::Request;

    use super::*;

    const PAGE: &[u8] = b"<html><script>start()</script></html>";

    #[test]
    fn every_page_of_the_front_end_has_its_path_here() {
        let routes = concat!(env!("CARGO_MANIFEST_DIR"), "/../../web/src/routes");
        let mut pages = vec![String::new()];
        for folder in [routes.to_owned(), format!("{routes}/(app)")] {
            for entry in std::fs::read_dir(folder).unwrap() {
                let entry = entry.unwrap();
                let name = entry.file_name().into_string().unwrap();
                if entry.path().is_dir() && !name.starts_with('(') {
                    pages.push(name);
                }
            }
        }
        for page in pages {
            assert!(PAGES.contains(&page.as_str()), "{page}");
        }
    }

    #[test]
    fn a_page_is_the_shell_and_a_file_is_itself() {
        let web = web();
        for path in ["/", "/login", "/auth-keys/3", "/request-logs/", "/index.html", "/x"] {
            let status = if is_page(path) { 200 } else { 404 };
            let response = get(&web, path, &[]);
            assert_eq!(
                (response.status().as_u16(), &response.body()[..]),
                (status, PAGE),
                "{path}"
            );
            assert_eq!(response.headers()[CACHE_CONTROL], "no-cache");
        }
        let script = get(&web, "/_app/immutable/a.js", &[]);
        assert_eq!(&script.body()[..], b"plain");
        assert_eq!(script.headers()[CONTENT_TYPE], "text/javascript; charset=utf-8");
        assert_eq!(script.headers()[CACHE_CONTROL], "public, max-age=31536000, immutable");
        assert_eq!(get(&web, "/_app/immutable/gone.js", &[]).status(), 404);
    }

    #[test]
    fn what_is_no_page_is_never_answered_with_one() {
        for path in [
            "/api",
            "/api/x",
            "/v1",
            "/v1/models",
            "/v1beta/x",
            "/health",
            "/ready",
            "/metrics",
            "//login",
            "/Login",
            "/loginx",
            "",
            "*",
            "/x/login",
        ] {
            assert!(!is_ours(path), "{path}");
        }
        for path in ["/api", "/v1/x", "/v1beta", "/x/v1/y", "/health/x", "//x", "/..%2fx", "/%00"] {
            assert!(!is_stray(path, "text/html,*/*"), "{path}");
        }
        assert!(is_stray("/keys", "text/html,*/*"));
        assert!(!is_stray("/keys", "*/*"));
        assert!(!is_stray("/keys", ""));
    }

    #[test]
    fn a_variant_is_served_to_whoever_takes_it() {
        let web = web();
        for (accepted, expected) in [
            ("gzip, deflate, br", "br"),
            ("gzip", "gzip"),
            ("br;q=0, gzip;q=0.5", "gzip"),
            ("zstd", "plain"),
            ("", "plain"),
        ] {
            let response = get(&web, "/_app/immutable/a.js", &[("accept-encoding", accepted)]);
            assert_eq!(&response.body()[..], expected.as_bytes(), "{accepted}");
            assert_eq!(response.headers()[VARY], "accept-encoding");
            let named = response.headers().get(CONTENT_ENCODING);
            assert_eq!(named.is_some(), expected != "plain", "{accepted}");
        }
    }

    #[test]
    fn who_has_it_already_is_not_sent_it_again() {
        let web = web();
        let first = get(&web, "/login", &[]);
        let etag = first.headers()[ETAG].to_str().unwrap();

        let again = get(&web, "/settings", &[("if-none-match", &format!("\"x\", W/{etag}"))]);
        assert_eq!((again.status().as_u16(), again.body().len()), (304, 0));
        assert_eq!(get(&web, "/", &[("if-none-match", "\"x\"")]).status(), 200);
        let gzip = get(&web, "/_app/immutable/a.js", &[("accept-encoding", "gzip")]);
        let plain = get(&web, "/_app/immutable/a.js", &[]);
        assert_ne!(gzip.headers()[ETAG], plain.headers()[ETAG]);
    }

    #[test]
    fn the_policy_lets_the_scripts_of_the_page_run_and_no_others() {
        let policy = get(&web(), "/", &[]).headers()[CONTENT_SECURITY_POLICY].clone();
        let policy = policy.to_str().unwrap();

        // printf 'start()' | openssl sha256 -binary | base64
        let hash = "sha256-DIm7WJS6ZKDYe5qFLPy+h4JFI9Bol5QmYC57mt3Fb00=";
        assert!(policy.contains(&format!("script-src 'self' '{hash}';")), "{policy}");
        assert!(!policy.contains("unsafe-inline") && !policy.contains("unsafe-eval"), "{policy}");
        assert!(
            policy.starts_with("default-src 'none';") && policy.contains("frame-ancestors 'none'")
        );
    }

    #[test]
    fn without_a_built_ui_every_page_is_the_notice() {
        let web = Web::new(Files::of([]));

        assert!(get(&web, "/robots.txt", &[]).body().starts_with(b"User-agent"));
        let page = get(&web, "/settings", &[("accept-encoding", "br")]);
        assert_eq!(page.status(), 200);
        let text = String::from_utf8_lossy(page.body());
        assert!(text.contains("/api/auth/login") && !text.contains("<script"));
        let policy = page.headers()[CONTENT_SECURITY_POLICY].to_str().unwrap();
        assert!(policy.contains("style-src 'sha256-") && !policy.contains("unsafe"));
    }

    #[test]
    fn files_are_only_read() {
        let request = Request::post("/login").body(()).unwrap();
        let response = web().answer(&request.into_parts().0);
        assert_eq!(
            (response.status().as_u16(), &response.headers()[ALLOW]),
            (405, &HeaderValue::from_static("GET, HEAD"))
        );
    }

    fn is_stray(path: &str, accept: &str) -> bool {
        let head = head(path, &[("accept", accept)]);
        is_lost(&head.headers, &head.method, path)
    }

    fn web() -> Web {
        Web::new(Files::of([
            ("/index.html", PAGE),
            ("/_app/immutable/a.js", b"plain".as_slice()),
            ("/_app/immutable/a.js.br", b"br".as_slice()),
            ("/_app/immutable/a.js.gz", b"gzip".as_slice()),
        ]))
    }

    fn get(web: &Web, path: &str, fields: &[(&str, &str)]) -> Response<Bytes> {
        web.answer(&head(path, fields))
    }

    fn head(path: &str, fields: &[(&str, &str)]) -> Parts {
        let mut request = Request::get(path);
        for (name, value) in fields {
            request = request.header(*name, *value);
        }
        request.body(()).unwrap().into_parts().0
    }
}
