//! Values of a plan file that can be written in more than one way. Each reads itself by hand, because serde's own
//! guessing (`untagged`) says nothing useful about what did not fit.

use std::borrow::Cow;
use std::fmt;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use secrecy::SecretString;
use serde::de::{Deserialize, Deserializer, Error, MapAccess, Visitor};

/// `version: 1`.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Version;

impl<'de> Deserialize<'de> for Version {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        match u64::deserialize(deserializer)? {
            1 => Ok(Self),
            other => Err(D::Error::custom(format!("unknown version {other}"))),
        }
    }
}

impl JsonSchema for Version {
    fn schema_name() -> Cow<'static, str> {
        "Version".into()
    }

    fn inline_schema() -> bool {
        true
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({"const": 1})
    }
}

/// A whole number. JSON Schema takes 2.0 for one, and so do we.
pub(crate) fn whole<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<u32>, D::Error> {
    let Some(number) = Option::<f64>::deserialize(deserializer)? else {
        return Ok(None);
    };
    if number.fract() == 0.0 && (0.0..=f64::from(u32::MAX)).contains(&number) {
        Ok(Some(number as u32))
    } else {
        Err(D::Error::custom("expected a whole number"))
    }
}

/// A number and a unit, such as `10s`.
#[derive(Debug, Clone, serde::Deserialize)]
#[serde(transparent)]
pub(crate) struct Duration(String);

impl Duration {
    /// Units and their length in milliseconds, longer names first.
    const UNITS: [(&'static str, u64); 4] = [("ms", 1), ("s", 1_000), ("m", 60_000), ("h", 3_600_000)];

    /// The longest that a timeout may be.
    const MAX_MILLIS: u64 = 24 * 3_600_000;

    /// Its length; nothing where it is not between a millisecond and a day.
    pub(crate) fn value(&self) -> Option<std::time::Duration> {
        let (number, unit) =
            Self::UNITS.iter().find_map(|(unit, length)| self.0.strip_suffix(unit).map(|number| (number, *length)))?;
        let millis = number.parse::<u64>().ok()?.checked_mul(unit)?;
        (1..=Self::MAX_MILLIS).contains(&millis).then(|| std::time::Duration::from_millis(millis))
    }
}

impl JsonSchema for Duration {
    fn schema_name() -> Cow<'static, str> {
        "Duration".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "type": "string",
            "pattern": "^[0-9]+(ms|s|m|h)$",
            "description": "A number and a unit: ms, s, m or h. Example: `10s`"
        })
    }
}

/// A number of shards, or `auto`.
#[derive(Debug, Clone, Copy)]
pub(crate) enum ShardsSpec {
    /// By the number of rows.
    Auto,
    /// This many.
    Count(u32),
}

impl<'de> Deserialize<'de> for ShardsSpec {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Shards;
        impl Visitor<'_> for Shards {
            type Value = ShardsSpec;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a number of shards or `auto`")
            }

            fn visit_u64<E: Error>(self, value: u64) -> Result<ShardsSpec, E> {
                u32::try_from(value).map(ShardsSpec::Count).map_err(|_| E::custom("too many shards"))
            }

            fn visit_f64<E: Error>(self, value: f64) -> Result<ShardsSpec, E> {
                // JSON Schema takes 2.0 for an integer, and so do we.
                if value.fract() == 0.0 && (1.0..=16.0).contains(&value) {
                    Ok(ShardsSpec::Count(value as u32))
                } else {
                    Err(E::custom("not a number of shards"))
                }
            }

            fn visit_str<E: Error>(self, value: &str) -> Result<ShardsSpec, E> {
                match value {
                    "auto" => Ok(ShardsSpec::Auto),
                    _ => Err(E::custom("expected a number of shards or `auto`")),
                }
            }
        }
        deserializer.deserialize_any(Shards)
    }
}

impl JsonSchema for ShardsSpec {
    fn schema_name() -> Cow<'static, str> {
        "Shards".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "description": "A number of shards, or `auto`. Example: `2`",
            "oneOf": [
                {"type": "integer", "minimum": 1, "maximum": 16},
                {"const": "auto"}
            ]
        })
    }
}

/// The database on both sides.
#[derive(Debug, Clone)]
pub(crate) enum DatabaseSpec {
    /// The same name on both.
    Both(String),
    /// Each its own.
    Each {
        /// On the source.
        from: Option<String>,
        /// On the target.
        to: Option<String>,
    },
}

impl<'de> Deserialize<'de> for DatabaseSpec {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Database;
        impl<'de> Visitor<'de> for Database {
            type Value = DatabaseSpec;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a database name or `{from, to}`")
            }

            fn visit_str<E: Error>(self, value: &str) -> Result<DatabaseSpec, E> {
                Ok(DatabaseSpec::Both(value.to_owned()))
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<DatabaseSpec, A::Error> {
                let (mut from, mut to) = (None, None);
                while let Some(key) = map.next_key::<String>()? {
                    match key.as_str() {
                        "from" => from = Some(map.next_value()?),
                        "to" => to = Some(map.next_value()?),
                        _ => return Err(A::Error::unknown_field(&key, &["from", "to"])),
                    }
                }
                Ok(DatabaseSpec::Each { from, to })
            }
        }
        deserializer.deserialize_any(Database)
    }
}

impl JsonSchema for DatabaseSpec {
    fn schema_name() -> Cow<'static, str> {
        "Database".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "description": "One database name for both sides, or one for each. Example: `{from: default, to: kb}`",
            "oneOf": [
                {"type": "string", "minLength": 1},
                {
                    "type": "object",
                    "properties": {
                        "from": {"type": "string", "minLength": 1, "description": "The database that is read. Example: `from: default`"},
                        "to": {"type": "string", "minLength": 1, "description": "The database that is written. Example: `to: kb`"}
                    },
                    "minProperties": 1,
                    "additionalProperties": false
                }
            ]
        })
    }
}

/// Where a secret comes from.
#[derive(Debug, Clone)]
pub(crate) enum SecretSpec {
    /// An environment variable.
    Env(String),
    /// A file.
    File(String),
    /// A command and its arguments.
    Command(Vec<String>),
    /// The text itself.
    Literal(SecretString),
}

impl<'de> Deserialize<'de> for SecretSpec {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Secret;
        impl<'de> Visitor<'de> for Secret {
            type Value = SecretSpec;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("`{env: NAME}`, `{file: PATH}`, `{command: [..]}` or a text")
            }

            fn visit_str<E: Error>(self, value: &str) -> Result<SecretSpec, E> {
                Ok(SecretSpec::Literal(value.into()))
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<SecretSpec, A::Error> {
                let reference = match map.next_key::<String>()?.as_deref() {
                    Some("env") => SecretSpec::Env(map.next_value()?),
                    Some("file") => SecretSpec::File(map.next_value()?),
                    Some("command") => SecretSpec::Command(map.next_value()?),
                    _ => return Err(A::Error::custom("expected `env`, `file` or `command`")),
                };
                match map.next_key::<String>()? {
                    None => Ok(reference),
                    Some(_) => Err(A::Error::custom("only one of `env`, `file` and `command`")),
                }
            }
        }
        deserializer.deserialize_any(Secret)
    }
}

impl JsonSchema for SecretSpec {
    fn schema_name() -> Cow<'static, str> {
        "Secret".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "description": "A reference to a secret, read when a connection is opened. The text itself is accepted for servers on this machine only. Example: `{env: OLD_TOKEN}`",
            "oneOf": [
                {
                    "type": "object",
                    "properties": {"env": {
                        "type": "string",
                        "pattern": "^[A-Za-z_][A-Za-z0-9_]*$",
                        "description": "The name of an environment variable. Example: `env: OLD_TOKEN`"
                    }},
                    "required": ["env"],
                    "additionalProperties": false
                },
                {
                    "type": "object",
                    "properties": {"file": {
                        "type": "string",
                        "minLength": 1,
                        "description": "A file that holds the secret; relative paths start at this file's folder. Example: `file: /run/secrets/milvus`"
                    }},
                    "required": ["file"],
                    "additionalProperties": false
                },
                {
                    "type": "object",
                    "properties": {"command": {
                        "type": "array",
                        "items": {"type": "string"},
                        "minItems": 1,
                        "description": "A program and its arguments, which writes the secret to its standard output. Example: `command: [vault, kv, get, -field=token, secret/milvus]`"
                    }},
                    "required": ["command"],
                    "additionalProperties": false
                },
                {"type": "string", "minLength": 1}
            ]
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_have_units_and_bounds() {
        let millis = |text: &str| Duration(text.to_owned()).value().map(|d| d.as_millis());
        assert_eq!(millis("500ms"), Some(500));
        assert_eq!(millis("10s"), Some(10_000));
        assert_eq!(millis("2m"), Some(120_000));
        assert_eq!(millis("24h"), Some(86_400_000));
        for bad in ["0s", "25h", "99999999999999999999s", "18446744073709551615h", "s", "10", "", "1.5s"] {
            assert_eq!(millis(bad), None, "{bad}");
        }
    }
}
