//! The house tests: a real server, a real database and a scripted upstream over real sockets.
//!
//! One binary, so that the server is linked once. No test sleeps; each waits for a fact.

mod support;

mod admin_keys;
mod admin_login;
mod admin_routes;
mod proxy_gemini;
mod proxy_openai;
