//! The nginx that the gateway is measured beside: one worker, keep-alive on both sides, an access
//! log, the service key put in – what people set up when they want no more than a proxy.

use std::{
    env, fs,
    path::{Path, PathBuf},
    process::Command,
};

use crate::Outcome;

/// Returns where nginx lies; Debian puts it where only root's `PATH` looks.
pub(crate) fn program() -> Option<PathBuf> {
    #[expect(clippy::disallowed_methods, reason = "PATH is where programs lie, not a setting")]
    let path = env::var("PATH").unwrap_or_default();
    env::split_paths(&path)
        .chain([PathBuf::from("/usr/sbin")])
        .map(|folder| folder.join("nginx"))
        .find(|program| program.is_file())
}

/// Writes the configuration into `folder` and returns its path.
///
/// # Errors
///
/// If it cannot be written, or the system does not tell who we are.
pub(crate) fn configure(
    folder: &Path,
    port: u16,
    upstream_port: u16,
    service_key: &str,
) -> Outcome<PathBuf> {
    // Started by root, the worker would become another user and lose sight of the folder.
    let user = Command::new("id").args(["-un"]).output()?.stdout;
    let user = String::from_utf8_lossy(&user).trim().to_owned();
    let path = folder.join("nginx.conf");
    fs::write(&path, text(folder, &user, port, upstream_port, service_key))?;
    Ok(path)
}

fn text(folder: &Path, user: &str, port: u16, upstream_port: u16, service_key: &str) -> String {
    let folder = folder.display();
    format!(
        r#"user {user};
daemon off;
worker_processes 1;
worker_rlimit_nofile 20000;
pid {folder}/nginx.pid;
error_log {folder}/nginx-error.log;
events {{ worker_connections 16384; }}
http {{
    access_log {folder}/nginx-access.log combined;
    client_body_temp_path {folder}/nginx-body;
    proxy_temp_path {folder}/nginx-proxy;
    fastcgi_temp_path {folder}/nginx-fastcgi;
    uwsgi_temp_path {folder}/nginx-uwsgi;
    scgi_temp_path {folder}/nginx-scgi;
    client_max_body_size 100m;
    keepalive_requests 1000000000;
    upstream api {{
        server 127.0.0.1:{upstream_port};
        keepalive 512;
        keepalive_requests 1000000000;
    }}
    server {{
        listen 127.0.0.1:{port} backlog=4096;
        proxy_http_version 1.1;
        proxy_set_header Connection "";
        proxy_set_header x-goog-api-key {service_key};
        location / {{
            proxy_pass http://api;
        }}
        # Streams would otherwise wait for a buffer to fill.
        location ~ :stream {{
            proxy_pass http://api;
            proxy_buffering off;
        }}
    }}
}}
"#
    )
}
