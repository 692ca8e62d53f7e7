//! The page at the root: that the gateway runs, and how to reach it. No script, nothing loaded.

use axum::response::{IntoResponse, Response};
use base64::{Engine, engine::general_purpose::STANDARD};
use http::header::{CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, HOST};
use http::{HeaderMap, StatusCode};
use sha2::{Digest, Sha256};

use crate::admin::peer::Peer;
use crate::admin::routes::{Routes, get};

const STYLE: &str = "body{font:16px/1.6 system-ui,sans-serif;max-width:40rem;margin:3rem auto;\
                     padding:0 1rem;color-scheme:light dark}code{font-size:.95em}\
                     dd{margin:0 0 .75rem 1.5rem}";
/// Stands for the address when the browser's is not one to repeat.
const ANY_HOST: &str = "gateway";

pub(super) fn routes(routes: Routes) -> Routes {
    routes
        .add(get("/").open(), root)
        .add(get("/favicon.ico").open(), favicon)
        .add(get("/robots.txt").open(), robots)
}

async fn root(peer: Peer, headers: HeaderMap) -> Response {
    let host = headers.get(HOST).and_then(|host| host.to_str().ok());
    let host = host.filter(|host| is_plain(host)).unwrap_or(ANY_HOST);
    let scheme = if peer.is_tls { "https" } else { "http" };
    let head = [
        (CONTENT_TYPE, "text/html; charset=utf-8".to_owned()),
        (CONTENT_SECURITY_POLICY, policy()),
        (CACHE_CONTROL, "no-cache".to_owned()),
    ];
    (head, page(scheme, host)).into_response()
}

async fn favicon() -> StatusCode {
    StatusCode::NO_CONTENT
}

async fn robots() -> &'static str {
    "User-agent: *\nDisallow: /\n"
}

/// Lets the page's own style through and nothing else.
fn policy() -> String {
    let digest = STANDARD.encode(Sha256::digest(STYLE));
    format!(
        "default-src 'none'; style-src 'sha256-{digest}'; base-uri 'none'; form-action 'none'; \
         frame-ancestors 'none'"
    )
}

/// Whether a host can stand in the page as it is.
fn is_plain(host: &str) -> bool {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b".-:[]".contains(&byte);
    !host.is_empty() && host.len() <= 255 && host.bytes().all(is_plain)
}

fn page(scheme: &str, host: &str) -> String {
    format!(
        r#"<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Gemini Balance</title>
<style>{STYLE}</style>
</head>
<body>
<h1>Gemini Balance</h1>
<p>The gateway is running. Point your client here and use the key that your admin gave you:</p>
<dl>
<dt>OpenAI clients</dt><dd><code>{scheme}://{host}/v1</code></dd>
<dt>Gemini clients</dt><dd><code>{scheme}://{host}</code></dd>
</dl>
<p>The web interface comes with a later version. Until then admins use the API: log in with
<code>POST /api/auth/login</code>; <code>/api/openapi.json</code> describes the rest.</p>
<section lang="zh-CN">
<p>网关正在运行。请将客户端指向以下地址，并使用管理员分发的密钥：</p>
<dl>
<dt>OpenAI 客户端</dt><dd><code>{scheme}://{host}/v1</code></dd>
<dt>Gemini 客户端</dt><dd><code>{scheme}://{host}</code></dd>
</dl>
<p>网页界面将在后续版本提供。在此之前，管理员请使用 API：通过 <code>POST /api/auth/login</code>
登录，其余接口见 <code>/api/openapi.json</code>。</p>
</section>
</body>
</html>
"#
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_host_that_could_be_markup_is_not_repeated() {
        for (host, expected) in [
            ("gateway.example:8090", true),
            ("[::1]:8090", true),
            ("", false),
            ("<script>", false),
            ("a\"b", false),
            ("a b", false),
        ] {
            assert_eq!(is_plain(host), expected, "{host}");
        }
    }

    #[test]
    fn the_page_names_the_base_urls_and_brings_no_script() {
        let page = page("https", "gateway.example:8090");

        assert!(page.contains("<code>https://gateway.example:8090/v1</code>"));
        assert!(page.contains(&format!("<style>{STYLE}</style>")));
        assert!(!page.contains("<script") && !page.contains("style="));
    }
}
