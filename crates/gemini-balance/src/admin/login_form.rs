//! What is sent to log in: JSON, or a form in either of the two encodings that forms have.

use std::sync::Arc;

use axum::extract::{FromRequest, Request};
use http::header::CONTENT_TYPE;
use memchr::memmem;
use percent_encoding::percent_decode;
use serde::Deserialize;
use utoipa::ToSchema;

use crate::admin::error::ApiError;
use crate::admin::input::{self, JSON};
use crate::admin::problem::{Part, Problem};
use crate::app::App;
use crate::secret::Secret;

const FORM: &str = "application/x-www-form-urlencoded";
const MULTIPART: &str = "multipart/form-data";

/// The admin's password. Other fields, above all a user name, are accepted and ignored.
#[derive(Debug, Deserialize, ToSchema)]
pub(super) struct LoginForm {
    /// The admin's password.
    #[schema(value_type = String)]
    pub(super) password: Secret,
}

impl FromRequest<Arc<App>> for LoginForm {
    type Rejection = ApiError;

    async fn from_request(request: Request, app: &Arc<App>) -> Result<Self, ApiError> {
        let content_type = request.headers().get(CONTENT_TYPE).cloned();
        let media_type = input::media_type(request.headers());
        let body = input::read(request, app).await?;
        let password = match media_type.as_deref() {
            None | Some(JSON) => return input::parse_json(&body),
            Some(FORM) => form_field(&body, b"password"),
            Some(MULTIPART) => {
                let content_type = content_type.as_ref().and_then(|it| it.to_str().ok());
                let boundary = content_type.and_then(boundary).ok_or(ApiError::MediaType)?;
                multipart_field(&body, boundary, "password")
            }
            Some(_) => return Err(ApiError::MediaType),
        };
        match password {
            Some(password) => Ok(Self { password }),
            None => Err(ApiError::Invalid(vec![Problem::missing(Part::Body, "password")])),
        }
    }
}

/// The value of a field in `a=b&c=d`.
pub(super) fn form_field(form: &[u8], name: &[u8]) -> Option<Secret> {
    form.split(|byte| *byte == b'&').find_map(|pair| {
        let value = pair.strip_prefix(name)?.strip_prefix(b"=")?;
        let spaced: Vec<u8> =
            value.iter().map(|byte| if *byte == b'+' { b' ' } else { *byte }).collect();
        let text = percent_decode(&spaced).decode_utf8().ok()?;
        Some(Secret::new(text))
    })
}

/// The text between the parts of a multipart form.
pub(super) fn boundary(content_type: &str) -> Option<&str> {
    let parameters = content_type.split(';').skip(1);
    let given = parameters.filter_map(|it| it.trim().split_once('='));
    let (_, boundary) =
        given.into_iter().find(|(name, _)| name.eq_ignore_ascii_case("boundary"))?;
    Some(boundary.trim_matches('"')).filter(|boundary| !boundary.is_empty())
}

/// The value of a field in a multipart form.
pub(super) fn multipart_field(form: &[u8], boundary: &str, name: &str) -> Option<Secret> {
    let delimiter = format!("--{boundary}");
    let (quoted, bare) = (format!("; name=\"{name}\""), format!("; name={name}"));
    let mut rest = form;
    while let Some(at) = memmem::find(rest, delimiter.as_bytes()) {
        let part = rest.get(at + delimiter.len()..)?;
        let end = memmem::find(part, delimiter.as_bytes()).unwrap_or(part.len());
        let (part, after) = part.split_at_checked(end)?;
        rest = after;
        let Some(split) = memmem::find(part, b"\r\n\r\n") else {
            continue;
        };
        let (head, body) = part.split_at_checked(split)?;
        let head = String::from_utf8_lossy(head);
        if head.lines().any(|line| line.contains(&quoted) || line.ends_with(&bare)) {
            let value = body.strip_prefix(b"\r\n\r\n")?;
            let value = value.strip_suffix(b"\r\n").unwrap_or(value);
            return std::str::from_utf8(value).ok().map(Secret::new);
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_form_field_is_decoded() {
        check_form("username=admin&password=p%40ss+word%26%C3%BC", Some("p@ss word&ü"));
        check_form("password=", Some(""));
        check_form("password2=x&grant_type=password", None);
        check_form("", None);
    }

    #[test]
    fn a_multipart_field_is_found_among_others() {
        let form = "--b7\r\nContent-Disposition: form-data; name=\"username\"\r\n\r\nadmin\r\n\
                    --b7\r\nContent-Disposition: form-data; name=\"password\"\r\n\r\np@ss\r\nword\r\n\
                    --b7--\r\n";
        let boundary = boundary("multipart/form-data; charset=utf-8; boundary=\"b7\"").unwrap();

        let password = multipart_field(form.as_bytes(), boundary, "password");

        assert_eq!(password, Some(Secret::new("p@ss\r\nword")));
        assert_eq!(multipart_field(form.as_bytes(), boundary, "pass"), None);
        assert_eq!(multipart_field(b"--b7", boundary, "password"), None);
    }

    fn check_form(form: &str, expected: Option<&str>) {
        let field = form_field(form.as_bytes(), b"password");

        assert_eq!(field, expected.map(Secret::new), "{form}");
    }
}
