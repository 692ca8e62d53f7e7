//! The members of a JSON object as spans of its text.

mod plain;

use std::borrow::Cow;
use std::fmt;

use serde::Deserializer as _;
use serde::de::{Error as _, MapAccess, Visitor};
use serde_json::value::RawValue;

use plain::Span;

use crate::json::string_mark;

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

/// Shows every member of `object` in order, repeated keys too. However deep it is, that is no danger.
///
/// # Errors
///
/// The text is not exactly one JSON object; members before the mistake have been shown.
pub(crate) fn each<'a>(
    object: &'a str,
    mut show: impl FnMut(Member<'a>),
) -> Result<(), serde_json::Error> {
    let mut shown = 0;
    let walked = plain::walk(object.as_bytes(), |key, value| {
        show(member(object, key, value)?);
        shown += 1;
        Some(())
    });
    match walked {
        Some(()) => Ok(()),
        None => each_from(object, shown, show),
    }
}

/// The member whose parts were found in `object`; `None` if its key is no text.
fn member<'a>(object: &'a str, key: Span<'a>, value: Span<'a>) -> Option<Member<'a>> {
    let at = |rest: &[u8]| object.len() - rest.len();
    let (key_at, value_at) = (at(key.from), at(value.from));
    Some(Member {
        key: unquoted(object.get(key_at..at(key.behind))?).ok()?,
        key_at,
        value: object.get(value_at..at(value.behind))?,
        value_at,
    })
}

/// Reads without recursion, and knows what is wrong and where; shows members from the one that has
/// this index.
fn each_from<'a>(
    object: &'a str,
    index: usize,
    show: impl FnMut(Member<'a>),
) -> Result<(), serde_json::Error> {
    let mut deserializer = serde_json::Deserializer::from_str(object);
    deserializer.deserialize_map(Members { object, index, show })?;
    deserializer.end()
}

struct Members<'a, F> {
    object: &'a str,
    /// How many members not to show.
    index: usize,
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
            let member = Member {
                key: unquoted(key.get()).map_err(A::Error::custom)?,
                key_at: offset(self.object, key.get()),
                value,
                value_at: offset(self.object, value),
            };
            match self.index.checked_sub(1) {
                Some(index) => self.index = index,
                None => (self.show)(member),
            }
        }
        Ok(())
    }
}

/// The text of a JSON string.
///
/// # Errors
///
/// It is not a string, or has half a surrogate pair.
pub(crate) fn unquoted(raw: &str) -> Result<Cow<'_, str>, serde_json::Error> {
    let text = raw.strip_prefix('"').unwrap_or_default();
    match string_mark(text.as_bytes()).and_then(|end| text.split_at_checked(end)) {
        Some((plain, "\"")) => Ok(Cow::Borrowed(plain)),
        Some(_) | None => serde_json::from_str(raw).map(Cow::Owned),
    }
}

/// Where `part` begins in `whole`, of which it is a slice.
fn offset(whole: &str, part: &str) -> usize {
    (part.as_ptr() as usize).saturating_sub(whole.as_ptr() as usize)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use proptest::sample::Index;

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
    fn nested_values_are_walked_through_as_a_parser_would() {
        let deep = format!(r#"{{"a":1,"b":{}{}}}"#, "[".repeat(99), "]".repeat(99));
        for text in [
            r#"{"a":-0.5e+7,"b":[true,false,null,{"c":{}},[]],"c":"\\\"\/\b\f\n\r\t\uD83d"}"#,
            r#"{"a":01}"#,
            r#"{"a":-}"#,
            r#"{"a":1.}"#,
            r#"{"a":1e}"#,
            r#"{"a":[1,]}"#,
            r#"{"a":{"b":1]}"#,
            r#"{"a":{"b":nul}}"#,
            r#"{"a":["\u12G4"]}"#,
            r#"{"a":["\x"]}"#,
            "{\"a\":[\"\n\"]}",
            r#"{"a":1,"b":[1 2]}"#,
            r#"{"\u0061":1,"\ud800":2}"#,
            &deep,
        ] {
            assert_eq!(shown(text, |text, show| each(text, show)), shown(text, parsed), "{text}");
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn every_text_is_walked_through_as_a_parser_would(text in nearly_json()) {
            prop_assert_eq!(shown(&text, |text, show| each(text, show)), shown(&text, parsed));
        }
    }

    /// Objects of everything JSON is made of, now and then with a part too many or too few.
    fn nearly_json() -> impl Strategy<Value = String> {
        let scalar = prop::sample::select(vec![
            "0",
            "-0",
            "12.50",
            "1e9",
            "2E-7",
            "-1.5e+3",
            "true",
            "false",
            "null",
            "\"\"",
            "\"a b\"",
            "\"\\u00e9\\n\"",
            "\"\\ud83d\"",
            "\"键 of more than thirty-two bytes, as it is\"",
        ]);
        let value = scalar.prop_map(str::to_owned).prop_recursive(4, 24, 4, |inner| {
            let list = prop::collection::vec(inner.clone(), 0..4)
                .prop_map(|elements| format!("[ {}]", elements.join(" ,")));
            let members = prop::collection::vec((r#"[a-c]|\\u0061|\\\\"#, inner), 0..4);
            let object = members.prop_map(|members| {
                let members = members.iter().map(|(key, value)| format!("\"{key}\":{value}"));
                format!("{{{} }}", members.collect::<Vec<_>>().join(",\n"))
            });
            prop_oneof![list, object]
        });
        let part = prop_oneof![8 => Just(String::new()), 1 => r#"[\[\]{}:,"\\0. e\t\x01-]"#];
        (value, part, any::<Index>(), 0..8).prop_map(|(value, part, index, lacking)| {
            let text = format!(r#"{{"x":{value},"y":1}}"#);
            let chars: Vec<char> = text.chars().collect();
            let (head, tail) = chars.split_at(index.index(chars.len()));
            let tail = tail.iter().skip(usize::from(lacking == 0));
            head.iter().copied().chain(part.chars()).chain(tail.copied()).collect()
        })
    }

    type Shown<'a> = (Vec<(String, usize, &'a str, usize)>, Option<String>);

    fn shown<'a>(
        text: &'a str,
        read: impl FnOnce(&'a str, &mut dyn FnMut(Member<'a>)) -> Result<(), serde_json::Error>,
    ) -> Shown<'a> {
        let mut members = Vec::new();
        let outcome = read(text, &mut |member: Member<'a>| {
            members.push((member.key.into_owned(), member.key_at, member.value, member.value_at));
        });
        (members, outcome.err().map(|error| error.to_string()))
    }

    fn parsed<'a>(
        text: &'a str,
        show: &mut dyn FnMut(Member<'a>),
    ) -> Result<(), serde_json::Error> {
        each_from(text, 0, show)
    }

    #[test]
    fn anything_but_one_object_is_refused() {
        for text in ["", "[]", "1", "{} {}", "{\"a\":}", "{\"a\":1,}", "{a:1}", "{\"a\":\"\\x\"}"] {
            assert!(each(text, |_| {}).is_err(), "{text}");
        }
    }
}
