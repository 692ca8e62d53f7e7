//! The members of a JSON object as spans of its text.

use std::borrow::Cow;
use std::fmt;

use serde::Deserializer as _;
use serde::de::{Error as _, MapAccess, Visitor};
use serde_json::value::RawValue;

/// One `"key": value` of an object; positions are byte offsets into the object's text.
#[derive(Clone, Debug)]
pub(crate) struct Member<'a> {
    pub(crate) key: Cow<'a, str>,
    pub(crate) key_at: usize,
    pub(crate) value: &'a str,
    pub(crate) value_at: usize,
}

impl Member<'_> {
    pub(crate) fn end(&self) -> usize {
        self.value_at + self.value.len()
    }
}

/// Shows every member of `object` in order, repeated keys too. Values are passed over without
/// recursion, so depth is no danger.
///
/// # Errors
///
/// The text is not exactly one JSON object; members before the mistake have been shown.
pub(crate) fn each<'a>(
    object: &'a str,
    show: impl FnMut(Member<'a>),
) -> Result<(), serde_json::Error> {
    let mut deserializer = serde_json::Deserializer::from_str(object);
    deserializer.deserialize_map(Members { object, show })?;
    deserializer.end()
}

struct Members<'a, F> {
    object: &'a str,
    show: F,
}

impl<'a, F: FnMut(Member<'a>)> Visitor<'a> for Members<'a, F> {
    type Value = ();

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("a JSON object")
    }

    fn visit_map<A: MapAccess<'a>>(mut self, mut map: A) -> Result<(), A::Error> {
        while let Some(key) = map.next_key::<&'a RawValue>()? {
            let value = map.next_value::<&'a RawValue>()?.get();
            (self.show)(Member {
                key: unquoted(key.get()).map_err(A::Error::custom)?,
                key_at: offset(self.object, key.get()),
                value,
                value_at: offset(self.object, value),
            });
        }
        Ok(())
    }
}

fn unquoted(raw: &str) -> Result<Cow<'_, str>, serde_json::Error> {
    match raw.strip_prefix('"').and_then(|raw| raw.strip_suffix('"')) {
        Some(plain) if !plain.contains('\\') => Ok(Cow::Borrowed(plain)),
        Some(_) | None => serde_json::from_str(raw).map(Cow::Owned),
    }
}

/// Where `part` begins in `whole`, of which it is a slice.
fn offset(whole: &str, part: &str) -> usize {
    (part.as_ptr() as usize).saturating_sub(whole.as_ptr() as usize)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn members_are_spans_of_the_text() {
        let object = " { \"a\" : [1, {\"b\":2}] ,\"\\u0062\":null,\"a\":\"x\"} ";
        let mut seen = Vec::new();

        each(object, |member| {
            assert_eq!(&object[member.value_at..member.end()], member.value);
            assert!(object[member.key_at..].starts_with('"'));
            seen.push(format!("{}={}", member.key, member.value));
        })
        .unwrap();

        assert_eq!(seen, ["a=[1, {\"b\":2}]", "b=null", "a=\"x\""]);
    }

    #[test]
    fn anything_but_one_object_is_refused() {
        for text in ["", "[]", "1", "{} {}", "{\"a\":}", "{\"a\":1,}", "{a:1}", "{\"a\":\"\\x\"}"] {
            assert!(each(text, |_| {}).is_err(), "{text}");
        }
    }
}
