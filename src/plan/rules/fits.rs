//! Whether a constant of the plan fits the type that the plan says.

use serde_json::Value;

use crate::collection::DataType;

/// What a field can hold, as far as the plan says it.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Room {
    pub(super) data_type: Option<DataType>,
    pub(super) element_type: Option<DataType>,
    /// In bytes.
    pub(super) max_length: Option<u32>,
    pub(super) max_capacity: Option<u32>,
}

/// Why a field cannot hold a value; nothing where it can, or where the plan says too little to know.
pub(super) fn misfit(value: &Value, room: Room) -> Option<String> {
    let Some(data_type) = room.data_type else {
        return too_long(value, room.max_length);
    };
    match data_type {
        DataType::Bool => (!value.is_boolean()).then(|| expected("`true` or `false`", value)),
        DataType::Int8 => whole(value, data_type, i8::MIN.into(), i8::MAX.into()),
        DataType::Int16 => whole(value, data_type, i16::MIN.into(), i16::MAX.into()),
        DataType::Int32 => whole(value, data_type, i32::MIN.into(), i32::MAX.into()),
        DataType::Int64 => whole(value, data_type, i64::MIN, i64::MAX),
        DataType::Float => match value.as_f64() {
            Some(number) if number.abs() > f64::from(f32::MAX) => {
                Some(format!("{number:e} is more than a float can hold"))
            }
            Some(_) => None,
            None => Some(expected("a number", value)),
        },
        DataType::Double => (!value.is_number()).then(|| expected("a number", value)),
        DataType::VarChar | DataType::Text => text(value).or_else(|| too_long(value, room.max_length)),
        DataType::Geometry | DataType::Timestamptz => text(value),
        DataType::Array => elements(value, room),
        _ => None,
    }
}

fn elements(value: &Value, room: Room) -> Option<String> {
    let Value::Array(items) = value else {
        return Some(expected("a list", value));
    };
    if let Some(most) = room.max_capacity
        && items.len() > most as usize
    {
        return Some(format!("the list has {} elements, and `max_capacity` is {most}", items.len()));
    }
    let room = Room { data_type: Some(room.element_type?), ..room };
    items
        .iter()
        .enumerate()
        .find_map(|(at, item)| misfit(item, room).map(|why| format!("element {} of the list: {why}", at + 1)))
}

fn text(value: &Value) -> Option<String> {
    (!value.is_string()).then(|| expected("text", value))
}

fn too_long(value: &Value, max_length: Option<u32>) -> Option<String> {
    let (text, most) = (value.as_str()?, max_length?);
    (text.len() > most as usize).then(|| format!("the text has {} bytes, and `max_length` is {most}", text.len()))
}

fn whole(value: &Value, data_type: DataType, least: i64, most: i64) -> Option<String> {
    let name = data_type.to_string().to_lowercase();
    let Value::Number(number) = value else {
        return Some(expected("a whole number", value));
    };
    match number.as_i64() {
        Some(number) if (least..=most).contains(&number) => None,
        None if number.as_f64().is_some_and(|float| !number.is_u64() && float.abs() < 1e18) => {
            Some(format!("{number} is no whole number"))
        }
        _ => Some(format!("{number} does not fit {name}, which goes from {least} to {most}")),
    }
}

fn expected(what: &str, value: &Value) -> String {
    let found = match value {
        Value::Null => "null",
        Value::Bool(_) => "`true` or `false`",
        Value::Number(_) => "a number",
        Value::String(_) => "text",
        Value::Array(_) => "a list",
        Value::Object(_) => "a mapping",
    };
    format!("expected {what}, found {found}")
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn fits(value: Value, data_type: DataType) -> bool {
        misfit(&value, Room { data_type: Some(data_type), ..Room::default() }).is_none()
    }

    #[test]
    fn numbers_fit_by_their_range_and_kind() {
        for (data_type, least, most) in [
            (DataType::Int8, -128, 127),
            (DataType::Int16, -32_768, 32_767),
            (DataType::Int32, -2_147_483_648, 2_147_483_647),
        ] {
            assert!(fits(json!(least), data_type) && fits(json!(most), data_type));
            assert!(!fits(json!(least - 1_i64), data_type) && !fits(json!(most + 1_i64), data_type));
        }
        assert!(fits(json!(i64::MAX), DataType::Int64));
        assert!(!fits(json!(u64::MAX), DataType::Int64));
        assert!(!fits(json!(1.0), DataType::Int64));
        assert!(!fits(json!(1e20), DataType::Int64));
        assert!(fits(json!(1), DataType::Float) && fits(json!(1e38), DataType::Float));
        assert!(!fits(json!(1e39), DataType::Float) && fits(json!(1e39), DataType::Double));
        assert!(!fits(json!("1"), DataType::Double) && !fits(json!(0), DataType::Bool));
    }

    #[test]
    fn lengths_count_bytes() {
        let room = |max_length| Room { data_type: Some(DataType::VarChar), max_length, ..Room::default() };
        assert_eq!(misfit(&json!("密码"), room(Some(6))), None);
        assert!(misfit(&json!("密码"), room(Some(5))).is_some_and(|why| why.contains("6 bytes")));
        assert_eq!(misfit(&json!("any"), room(None)), None);
        assert!(misfit(&json!("any"), Room { max_length: Some(2), ..Room::default() }).is_some());
    }

    #[test]
    fn every_element_of_a_list_has_to_fit() {
        let room = Room {
            data_type: Some(DataType::Array),
            element_type: Some(DataType::Int8),
            max_capacity: Some(2),
            ..Room::default()
        };
        assert_eq!(misfit(&json!([1, 2]), room), None);
        assert!(misfit(&json!([1, 200]), room).is_some_and(|why| why.starts_with("element 2")));
        assert!(misfit(&json!([1, null]), room).is_some());
        assert!(misfit(&json!([1, 2, 3]), room).is_some());
        assert!(misfit(&json!({}), room).is_some());
    }
}
