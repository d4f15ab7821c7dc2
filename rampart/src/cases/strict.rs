//! JSON objects in which no name stands twice.
//!
//! Parsers differ in which of two equal names they take, so a line with both could be judged on
//! one value and executed on the other. `serde_json` takes the last without a word.

use serde::de::{DeserializeSeed, Deserializer, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Number, Value};
use std::cell::RefCell;
use std::fmt;

/// The object on `line`, and the first name that stands twice anywhere in it.
///
/// # Errors
/// If the line is no JSON, no object, or more than one value. Says where.
pub fn object(line: &[u8]) -> Result<(Map<String, Value>, Option<String>), String> {
    let duplicate = RefCell::new(None);
    let mut parser = serde_json::Deserializer::from_slice(line);
    let read = Element { duplicate: &duplicate }
        .deserialize(&mut parser)
        .and_then(|value| parser.end().map(|()| value));
    match read {
        Ok(Value::Object(members)) => Ok((members, duplicate.into_inner())),
        Ok(_) => Err("is no JSON object".into()),
        Err(error) => Err(format!("is no JSON: {} at column {}", why(&error), error.column())),
    }
}

/// The message of `error` without its position: the parser saw one line only.
fn why(error: &serde_json::Error) -> String {
    let text = error.to_string();
    match text.find(" at line ") {
        Some(end) => text.get(..end).unwrap_or(&text).to_owned(),
        None => text,
    }
}

/// Reads any value into a [`Value`] and notes the first duplicate name.
#[derive(Clone, Copy)]
struct Element<'d> {
    duplicate: &'d RefCell<Option<String>>,
}

impl<'de> DeserializeSeed<'de> for Element<'_> {
    type Value = Value;
    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Element<'_> {
    type Value = Value;

    fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("a JSON value")
    }
    fn visit_bool<E>(self, value: bool) -> Result<Value, E> {
        Ok(Value::Bool(value))
    }
    fn visit_i64<E>(self, value: i64) -> Result<Value, E> {
        Ok(value.into())
    }
    fn visit_u64<E>(self, value: u64) -> Result<Value, E> {
        Ok(value.into())
    }
    fn visit_f64<E>(self, value: f64) -> Result<Value, E> {
        Ok(Number::from_f64(value).map_or(Value::Null, Value::Number))
    }
    fn visit_str<E>(self, value: &str) -> Result<Value, E> {
        Ok(value.into())
    }
    fn visit_string<E>(self, value: String) -> Result<Value, E> {
        Ok(value.into())
    }
    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Value, A::Error> {
        let mut all = Vec::new();
        while let Some(item) = items.next_element_seed(self)? {
            all.push(item);
        }
        Ok(Value::Array(all))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Value, A::Error> {
        let mut all = Map::new();
        while let Some(name) = members.next_key::<String>()? {
            let value = members.next_value_seed(self)?;
            if all.contains_key(&name) {
                self.duplicate.borrow_mut().get_or_insert_with(|| name.clone());
            }
            all.insert(name, value);
        }
        Ok(Value::Object(all))
    }
}
