//! A moment as the API reads and writes it.

use jiff::Timestamp;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use utoipa::openapi::schema::{KnownFormat, ObjectBuilder, SchemaFormat, Type};
use utoipa::openapi::{RefOr, Schema};
use utoipa::{PartialSchema, ToSchema};

/// A moment in ms since 1970, written in UTC as RFC 3339.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Moment(i64);

impl Moment {
    /// The moment so many ms after the start of 1970.
    #[must_use]
    pub const fn from_ms(ms: i64) -> Self {
        Self(ms)
    }

    /// Milliseconds since 1970.
    #[must_use]
    pub const fn as_ms(self) -> i64 {
        self.0
    }
}

impl Serialize for Moment {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        // What lies beyond the calendar is shown as its end.
        let shown = Timestamp::from_millisecond(self.0).unwrap_or(Timestamp::MAX);
        serializer.collect_str(&shown)
    }
}

impl<'de> Deserialize<'de> for Moment {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        let read = text.parse::<Timestamp>().map_err(|_| {
            serde::de::Error::custom("Input should be a time such as 2027-01-31T12:00:00Z")
        })?;
        Ok(Self(read.as_millisecond()))
    }
}

impl PartialSchema for Moment {
    fn schema() -> RefOr<Schema> {
        ObjectBuilder::new()
            .schema_type(Type::String)
            .format(Some(SchemaFormat::KnownFormat(KnownFormat::DateTime)))
            .into()
    }
}

impl ToSchema for Moment {}

#[cfg(test)]
mod tests {
    use serde_json::{from_str, to_string};

    use super::*;

    #[test]
    fn a_moment_is_written_as_it_is_read() {
        let moment: Moment = from_str(r#""2026-11-22T20:49:24.153Z""#).unwrap();

        assert_eq!(to_string(&moment).unwrap(), r#""2026-11-22T20:49:24.153Z""#);
        let same: Moment = from_str(r#""2026-11-22T21:49:24.153+01:00""#).unwrap();
        assert_eq!(same, moment);
        assert!(from_str::<Moment>(r#""tomorrow""#).is_err());
    }
}
