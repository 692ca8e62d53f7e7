//! What every error of the gateway must look like, whichever test provokes it.

use dialect::Dialect;
use serde_json::Value;

use crate::support::{Gateway, Reply};

impl Gateway {
    /// Checks an error that is a whole answer: status, header fields, shape, and nothing secret.
    pub(crate) fn assert_error(&self, reply: &Reply, dialect: Dialect, status: u16, code: &str) {
        let text = reply.text();
        assert_eq!(reply.status, status, "{text}");
        assert!(!reply.is_cut, "{text}");
        assert_eq!(reply.header("content-type"), "application/json");
        let request_id = reply.header("x-request-id");
        assert!(request_id.len() == 32 && request_id.bytes().all(|byte| byte.is_ascii_hexdigit()));
        self.assert_error_body(&text, dialect, status, code);
        for (name, value) in &reply.headers {
            self.assert_discreet(&format!("{name}: {}", String::from_utf8_lossy(value.as_bytes())));
        }
    }

    /// Checks the JSON of an error: that of an answer, of an event, or of an array's element.
    pub(crate) fn assert_error_body(&self, text: &str, dialect: Dialect, status: u16, code: &str) {
        let body: Value = serde_json::from_str(text)
            .unwrap_or_else(|problem| panic!("not JSON ({problem}): {text}"));
        let error = body["error"].as_object().unwrap_or_else(|| panic!("no error: {text}"));
        assert_eq!(body.as_object().unwrap().len(), 1, "{text}");
        let mut names: Vec<&str> = error.keys().map(String::as_str).collect();
        names.sort_unstable();
        match dialect {
            Dialect::OpenAi => {
                assert_eq!(names, ["code", "message", "param", "type"], "{text}");
                assert_eq!(error["code"], code, "{text}");
            }
            Dialect::Gemini => {
                names.retain(|name| *name != "details");
                assert_eq!(names, ["code", "message", "status"], "{text}");
                assert_eq!(error["code"], status, "{text}");
            }
        }
        assert!(!error["message"].as_str().unwrap().is_empty(), "{text}");
        self.assert_discreet(text);
    }

    /// Checks that a text names no key, no upstream and nothing of this machine.
    pub(crate) fn assert_discreet(&self, text: &str) {
        let views = self.app().pool.views();
        let keys = views.iter().map(|(key, _)| key.secret.expose());
        let address = self.upstream.address().to_string();
        let directory = self.directory.path().to_string_lossy();
        let secrets = [self.user_key.as_str(), &address, &directory, ".rs:"];
        for secret in keys.chain(secrets) {
            assert!(!text.contains(secret), "names {secret}: {text}");
        }
    }
}
