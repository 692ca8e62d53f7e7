//! The page of a gateway without its web UI: that it runs, and how to reach it. No script, nothing
//! loaded, nothing of the request repeated.

use base64::{Engine, engine::general_purpose::STANDARD};
use bytes::Bytes;
use sha2::{Digest, Sha256};

use crate::web::files::File;

const STYLE: &str = "body{font:16px/1.6 system-ui,sans-serif;max-width:40rem;margin:3rem auto;\
                     padding:0 1rem;color-scheme:light dark}code{font-size:.95em}\
                     dd{margin:0 0 .75rem 1.5rem}";

/// The page.
pub(super) fn page() -> File {
    File::new("notice.html", Bytes::from(markup()))
}

/// Lets the page's own style through and nothing else.
pub(super) fn policy() -> String {
    let digest = STANDARD.encode(Sha256::digest(STYLE));
    format!(
        "default-src 'none'; style-src 'sha256-{digest}'; base-uri 'none'; form-action 'none'; \
         frame-ancestors 'none'"
    )
}

fn markup() -> String {
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
<main>
<h1>Gemini Balance</h1>
<p>The gateway is running. Point your client here and use the key that your admin gave you:</p>
<dl>
<dt>OpenAI clients</dt><dd>the address of this server, followed by <code>/v1</code></dd>
<dt>Gemini clients</dt><dd>the address of this server as it is</dd>
</dl>
<p>This program was built without its web interface; building it needs Node.js 20.19 or later.
Admins can use the API: log in with <code>POST /api/auth/login</code>;
<code>/api/openapi.json</code> describes the rest.</p>
<section lang="zh-CN">
<p>网关正在运行。请将客户端指向以下地址，并使用管理员分发的密钥：</p>
<dl>
<dt>OpenAI 客户端</dt><dd>本服务器地址加上 <code>/v1</code></dd>
<dt>Gemini 客户端</dt><dd>本服务器地址</dd>
</dl>
<p>此程序构建时未包含网页界面（构建需要 Node.js 20.19 或更高版本）。管理员可使用 API：通过
<code>POST /api/auth/login</code> 登录，其余接口见 <code>/api/openapi.json</code>。</p>
</section>
</main>
</body>
</html>
"#
    )
}
