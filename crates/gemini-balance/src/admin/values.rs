//! Values that are checked by being read: texts and numbers with bounds.

use serde::{Deserialize, Deserializer};
use utoipa::openapi::schema::{ObjectBuilder, Type};
use utoipa::openapi::{RefOr, Schema};
use utoipa::{PartialSchema, ToSchema};

/// A text of `MIN` to `MAX` characters, on one line, not all of them blank.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub(super) struct Text<const MIN: usize, const MAX: usize>(String);

impl<const MIN: usize, const MAX: usize> Text<MIN, MAX> {
    /// The text.
    pub(super) fn into_inner(self) -> String {
        self.0
    }
}

impl<const MIN: usize, const MAX: usize> TryFrom<String> for Text<MIN, MAX> {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        let count = text.chars().count();
        if MAX < count {
            return Err(format!("String should have at most {MAX} characters"));
        }
        if count < MIN {
            return Err(format!("String should have at least {MIN} character"));
        }
        if 0 < MIN && text.trim().is_empty() {
            return Err("String should not be blank".to_owned());
        }
        // A line break could end a header or a log line and begin another.
        if text.contains(char::is_control) {
            return Err("String should not contain control characters".to_owned());
        }
        Ok(Self(text))
    }
}

impl<const MIN: usize, const MAX: usize> PartialSchema for Text<MIN, MAX> {
    fn schema() -> RefOr<Schema> {
        ObjectBuilder::new()
            .schema_type(Type::String)
            .min_length(Some(MIN))
            .max_length(Some(MAX))
            .into()
    }
}

impl<const MIN: usize, const MAX: usize> ToSchema for Text<MIN, MAX> {}

/// A whole number from `MIN` to `MAX`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Bounded<const MIN: u32, const MAX: u32>(u32);

impl<const MIN: u32, const MAX: u32> Bounded<MIN, MAX> {
    /// This number; `MIN` or `MAX` if it lies beyond.
    pub(super) const fn nearest(number: u32) -> Self {
        if number < MIN {
            Self(MIN)
        } else if MAX < number {
            Self(MAX)
        } else {
            Self(number)
        }
    }

    /// The number.
    pub(super) const fn get(self) -> u32 {
        self.0
    }
}

impl<'de, const MIN: u32, const MAX: u32> Deserialize<'de> for Bounded<MIN, MAX> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let number = i64::deserialize(deserializer)?;
        if number < i64::from(MIN) {
            let words = format!("Input should be greater than or equal to {MIN}");
            return Err(serde::de::Error::custom(words));
        }
        u32::try_from(number).ok().filter(|number| *number <= MAX).map(Self).ok_or_else(|| {
            serde::de::Error::custom(format!("Input should be less than or equal to {MAX}"))
        })
    }
}

impl<const MIN: u32, const MAX: u32> PartialSchema for Bounded<MIN, MAX> {
    fn schema() -> RefOr<Schema> {
        ObjectBuilder::new().schema_type(Type::Integer).minimum(Some(MIN)).maximum(Some(MAX)).into()
    }
}

impl<const MIN: u32, const MAX: u32> ToSchema for Bounded<MIN, MAX> {}

/// Reads a field for which `null` means something else than absence.
pub(super) fn present<'de, T, D>(deserializer: D) -> Result<Option<Option<T>>, D::Error>
where
    T: Deserialize<'de>,
    D: Deserializer<'de>,
{
    Option::deserialize(deserializer).map(Some)
}

#[cfg(test)]
mod tests {
    use serde_json::from_str;

    use super::*;

    #[test]
    fn a_text_is_counted_in_characters_and_stays_on_its_line() {
        let alias = from_str::<Text<1, 3>>;

        assert_eq!(alias(r#""äöü""#).unwrap().into_inner(), "äöü");
        for (text, problem) in [
            (r#""""#, "String should have at least 1 character"),
            (r#""abcd""#, "String should have at most 3 characters"),
            (r#""  ""#, "String should not be blank"),
            (r#""a\r\n""#, "String should not contain control characters"),
        ] {
            assert!(alias(text).unwrap_err().to_string().starts_with(problem), "{text}");
        }
        assert!(from_str::<Text<0, 3>>(r#""""#).is_ok());
    }

    #[test]
    fn a_number_lies_within_its_bounds() {
        let limit = from_str::<Bounded<1, 1000>>;

        assert_eq!(limit("1").unwrap().get(), 1);
        assert_eq!(limit("1000").unwrap().get(), 1000);
        for text in ["0", "-1", "1001", "10000000000", "1e3", "NaN", "\"5\""] {
            assert!(limit(text).is_err(), "{text}");
        }
        assert_eq!(Bounded::<1, 5>::nearest(9).get(), 5);
    }
}
