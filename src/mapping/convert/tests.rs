//! The table of conversions, row by row, and what holds for any column whatever is in it.

use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::types::{Float16Type, Float32Type, Int8Type};
use arrow_array::{BinaryArray, FixedSizeBinaryArray, Float64Array, Int64Array, StringArray};
use half::{bf16, f16};
use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;
use crate::collection::DefaultValue;

mod properties;

fn field(data_type: DataType, params: &[(&str, usize)]) -> Field {
    let params = params.iter().map(|(key, value)| ((*key).to_owned(), value.to_string())).collect();
    Field { params, ..Field::new("f", data_type) }
}

fn array_of(element: DataType, params: &[(&str, usize)]) -> Field {
    Field { element_type: Some(element), ..field(DataType::Array, params) }
}

fn conversion(from: Field, to: Field) -> Conversion {
    Conversion { from, to, scale: 127.0, unit: LengthUnit::Bytes, truncate: false, json_scalars: true }
}

fn texts(values: &[&str]) -> ArrayRef {
    Arc::new(StringArray::from_iter_values(values))
}

fn documents(values: &[&str]) -> ArrayRef {
    Arc::new(BinaryArray::from_iter_values(values))
}

/// A column of one row, from JSON.
fn column(field: &Field, value: &Value) -> ArrayRef {
    match field.data_type {
        DataType::Json => documents(&[&value.to_string()]),
        _ => {
            let converted = from_values(vec![Some(value.clone())], field, LengthUnit::Bytes, false, true).unwrap();
            assert_eq!(converted.misfits, [], "{value} as {}", field.type_text());
            converted.array
        }
    }
}

/// The table: a value of one type, and what it is in another, or why it is nothing.
#[test]
fn values_become_what_the_table_says() {
    use DataType::{Array, Bool, Double, Float, Geometry, Int8, Int16, Int32, Int64, Json, Text, Timestamptz, VarChar};
    let big = 9_007_199_254_740_993_i64;
    let cases: Vec<(DataType, Value, DataType, Result<Value, &str>)> = vec![
        (Int64, json!(127), Int8, Ok(json!(127))),
        (Int64, json!(300), Int8, Err("300 is outside INT8")),
        (Int8, json!(-128), Int64, Ok(json!(-128))),
        (Int64, json!(big - 1), Double, Ok(json!(9_007_199_254_740_992.0))),
        (Int64, json!(big), Double, Err("9007199254740993 has no exact DOUBLE")),
        (Int64, json!(i64::MAX), Double, Err("9223372036854775807 has no exact DOUBLE")),
        (Int64, json!(i64::MIN), Float, Ok(json!(-9.223372e18))),
        (Int32, json!(16_777_217), Float, Err("16777217 has no exact FLOAT")),
        (Double, json!(0.1), Float, Ok(json!(0.1))),
        (Double, json!(1e300), Float, Err("1e300 is outside FLOAT")),
        (Float, json!(1.5), Double, Ok(json!(1.5))),
        (Double, json!(-3.0), Int16, Ok(json!(-3))),
        (Double, json!(-0.0), Int64, Ok(json!(0))),
        (Double, json!(3.5), Int16, Err("3.5 is no INT16")),
        (Double, json!(1e30), Int64, Err("1e30 is outside INT64")),
        (Double, json!(9_223_372_036_854_775_808.0), Int64, Err("9.223372036854776e18 is outside INT64")),
        (Bool, json!(true), Double, Ok(json!(1.0))),
        (Bool, json!(false), Int8, Ok(json!(0))),
        (Int64, json!(1), Bool, Ok(json!(true))),
        (Int64, json!(2), Bool, Err("2 is no BOOL")),
        (Double, json!(0.5), Bool, Err("0.5 is no BOOL")),
        (Int64, json!(-7), VarChar, Ok(json!("-7"))),
        (Double, json!(1e300), VarChar, Ok(json!("1e300"))),
        (Double, json!(2.0), Text, Ok(json!("2.0"))),
        (Float, json!(0.1), VarChar, Ok(json!("0.1"))),
        (Bool, json!(true), VarChar, Ok(json!("true"))),
        (VarChar, json!("-12"), Int8, Ok(json!(-12))),
        (VarChar, json!("abc"), Int64, Err("`abc` is no INT64")),
        (VarChar, json!(" 1"), Int64, Err("` 1` is no INT64")),
        (VarChar, json!("1.0"), Int64, Err("`1.0` is no INT64")),
        (VarChar, json!("300"), Int8, Err("`300` is outside INT8")),
        (
            VarChar,
            json!("9".repeat(50)),
            Int8,
            Err("`99999999999999999999999999999999999999999999999999` is outside INT8"),
        ),
        (VarChar, json!(""), Double, Err("`` is no DOUBLE")),
        (VarChar, json!("1e-3"), Float, Ok(json!(0.001))),
        (VarChar, json!("1e39"), Float, Err("`1e39` is outside FLOAT")),
        (VarChar, json!("1e400"), Double, Err("`1e400` is outside DOUBLE")),
        (VarChar, json!("nan"), Double, Err("`nan` is no DOUBLE")),
        (VarChar, json!("infinity"), Float, Err("`infinity` is no FLOAT")),
        (Text, json!("TRUE"), Bool, Ok(json!(true))),
        (VarChar, json!("1"), Bool, Err("`1` is no BOOL")),
        (VarChar, json!("{\"a\": 1e400}"), Json, Ok(json!("{\"a\": 1e400}"))),
        (VarChar, json!("{a}"), Json, Err("`{a}` is no JSON")),
        (VarChar, json!("2025-01-01T00:00:00+01:00"), Timestamptz, Ok(json!("2024-12-31T23:00:00Z"))),
        (VarChar, json!("2025-01-01"), Timestamptz, Err("`2025-01-01` is no TIMESTAMPTZ")),
        (VarChar, json!("POINT (1 2)"), Geometry, Ok(json!("POINT (1 2)"))),
        (Geometry, json!("POINT (1 2)"), Text, Ok(json!("POINT (1 2)"))),
        (Timestamptz, json!("2025-01-01T00:00:00Z"), VarChar, Ok(json!("2025-01-01T00:00:00Z"))),
        (Timestamptz, json!("2025-01-01T00:00:00Z"), Json, Ok(json!("2025-01-01T00:00:00Z"))),
        (Float, json!(0.1), Json, Ok(json!(0.1))),
        (Int64, json!(5), Json, Ok(json!(5))),
        (Json, json!("a\nb"), VarChar, Ok(json!("a\nb"))),
        (Json, json!({"a": [1]}), VarChar, Ok(json!("{\"a\":[1]}"))),
        (Json, json!(1.5), Text, Ok(json!("1.5"))),
        (Json, json!("12"), Int64, Ok(json!(12))),
        (Json, json!(12.0), Int64, Ok(json!(12))),
        (Json, json!(u64::MAX), Int64, Err("18446744073709551615 is outside INT64")),
        (Json, json!(true), Int8, Ok(json!(1))),
        (Json, json!("yes"), Bool, Err("`yes` is no BOOL")),
        (Json, json!([1]), Int64, Err("`[1]` is no INT64")),
        (Json, json!("2025-01-01T00:00:00Z"), Timestamptz, Ok(json!("2025-01-01T00:00:00Z"))),
        (Json, json!(7), Timestamptz, Err("7 is no TIMESTAMPTZ")),
        (Json, json!([1, "2", 3.0]), Array, Ok(json!([1, 2, 3]))),
        (Json, json!([1, null]), Array, Err("element 1 is null")),
        (Json, json!([1, "x"]), Array, Err("element 1: `x` is no INT32")),
        (Json, json!({"a": 1}), Array, Err("`{\"a\":1}` is no ARRAY")),
        (Array, json!([1, 2]), VarChar, Ok(json!("[1,2]"))),
        (Array, json!([1, 2]), Json, Ok(json!([1, 2]))),
    ];
    for (from, value, to, expected) in cases {
        let make = |data_type| if data_type == Array { array_of(Int32, &[]) } else { field(data_type, &[]) };
        let conversion = conversion(make(from), make(to));
        let said = format!("{value} of {from} as {to}");
        assert_eq!(Conversion::check(&conversion.from, &conversion.to, true), Ok(()), "{said}");
        let converted = conversion.apply(&column(&conversion.from, &value)).unwrap();
        assert_eq!(Some(converted.array.data_type()), conversion.to.arrow().as_ref(), "{said}");
        match expected {
            Ok(expected) => {
                assert_eq!(converted.misfits, [], "{said}");
                let got = to_value(&conversion.to, &converted.array, 0);
                assert_eq!(got, expected, "{said}");
            }
            Err(reason) => {
                assert_eq!(converted.misfits, [Misfit { row: 0, reason: reason.to_owned() }], "{said}");
                assert!(converted.array.is_null(0), "{said}");
            }
        }
    }
}

#[test]
fn what_can_never_be_is_refused_with_both_types() {
    use DataType::{Geometry, Int64, Json, Timestamptz, VarChar};
    let vector = |data_type, dim| field(data_type, &[("dim", dim)]);
    for (from, to, reason) in [
        (field(Timestamptz, &[]), field(Int64, &[]), "TIMESTAMPTZ cannot become INT64"),
        (field(Int64, &[]), field(Timestamptz, &[]), "INT64 cannot become TIMESTAMPTZ"),
        (field(Json, &[]), field(Geometry, &[]), "JSON cannot become GEOMETRY"),
        (field(VarChar, &[]), array_of(Int64, &[]), "VARCHAR cannot become ARRAY<INT64>"),
        (array_of(Timestamptz, &[]), array_of(Int64, &[]), "ARRAY<TIMESTAMPTZ> cannot become ARRAY<INT64>"),
        (field(Int64, &[]), field(Json, &[]), "INT64 cannot become JSON: JSON fields of the target hold objects only"),
        (
            vector(DataType::FloatVector, 4),
            vector(DataType::FloatVector, 8),
            "FLOAT_VECTOR(4) cannot become FLOAT_VECTOR(8)",
        ),
        (
            vector(DataType::BinaryVector, 8),
            vector(DataType::FloatVector, 8),
            "BINARY_VECTOR(8) cannot become FLOAT_VECTOR(8)",
        ),
        (vector(DataType::FloatVector, 4), field(VarChar, &[]), "FLOAT_VECTOR(4) cannot become VARCHAR"),
    ] {
        assert_eq!(Conversion::check(&from, &to, false), Err(reason.to_owned()));
    }
}

#[test]
fn json_of_a_target_that_holds_objects_only() {
    let humble =
        Conversion { json_scalars: false, ..conversion(field(DataType::VarChar, &[]), field(DataType::Json, &[])) };
    let converted = humble.apply(&texts(&[" {\"a\":1}", "[1]", "{"])).unwrap();
    assert_eq!(converted.array.as_binary::<i32>().value(0), b" {\"a\":1}");
    let rows: Vec<_> = converted.misfits.iter().map(|misfit| misfit.row).collect();
    assert_eq!((rows, converted.array.null_count()), (vec![1, 2], 2));
}

#[test]
fn json_text_stays_what_it_is_byte_for_byte() {
    let conversion = conversion(field(DataType::Json, &[]), field(DataType::VarChar, &[]));
    let column =
        documents(&[" {\"a\" : 1e400} ", "123456789012345678901234567890", "null", "\"\\ud800\"", "\"\\u00e4\""]);
    let converted = conversion.apply(&column).unwrap();
    let got: Vec<_> = converted.array.as_string::<i32>().iter().collect();
    assert_eq!(got, [Some("{\"a\" : 1e400}"), Some("123456789012345678901234567890"), None, None, Some("ä")]);
    assert_eq!(converted.misfits, [Misfit { row: 3, reason: "`\"\\ud800\"` is no text".into() }]);
}

#[test]
fn numbers_that_would_lose_digits_are_misfits() {
    let conversion = conversion(field(DataType::Json, &[]), field(DataType::Double, &[]));
    let converted = conversion.apply(&documents(&["18446744073709551616", "1e400", "1e30"])).unwrap();
    assert_eq!(converted.misfits[0].reason, "18446744073709551616 is an integer beyond 64 bits");
    assert!(converted.misfits[1].reason.contains("number out of range"), "{:?}", converted.misfits);
    assert_eq!(converted.array.null_count(), 2);
    let kept = to_value(&field(DataType::Json, &[]), &documents(&["18446744073709551616"]), 0);
    assert_eq!(kept, json!("18446744073709551616"));
}

#[test]
fn text_is_held_against_its_length_and_cut_between_characters() {
    let limited = |most, unit, truncate| Conversion {
        unit,
        truncate,
        ..conversion(field(DataType::VarChar, &[]), field(DataType::VarChar, &[("max_length", most)]))
    };
    let column = texts(&["abc", "äöü", "äöüß"]);
    let refused = limited(5, LengthUnit::Bytes, false).apply(&column).unwrap();
    let reasons: Vec<_> = refused.misfits.iter().map(|misfit| (misfit.row, misfit.reason.as_str())).collect();
    assert_eq!(reasons, [(1, "6 bytes, but max_length is 5"), (2, "8 bytes, but max_length is 5")]);
    let counted = limited(3, LengthUnit::Characters, false).apply(&column).unwrap();
    assert_eq!(counted.misfits, [Misfit { row: 2, reason: "4 characters, but max_length is 3".into() }]);
    let cut = limited(5, LengthUnit::Bytes, true).apply(&column).unwrap();
    let got: Vec<_> = cut.array.as_string::<i32>().iter().flatten().collect();
    assert_eq!((got, cut.truncated), (vec!["abc", "äö", "äö"], vec![1, 2]));
}

#[test]
fn columns_that_need_no_look_are_shared() {
    let text = |most| field(DataType::VarChar, &[("max_length", most)]);
    let identity =
        |from: &Field, to: &Field, unit| Conversion { unit, ..conversion(from.clone(), to.clone()) }.is_identity();
    // The source may count characters, of which four bytes each is the most.
    assert!(identity(&text(8), &text(8), LengthUnit::Characters));
    assert!(!identity(&text(8), &text(8), LengthUnit::Bytes));
    assert!(identity(&text(2), &text(8), LengthUnit::Bytes));
    assert!(!identity(&text(9), &text(8), LengthUnit::Characters));
    assert!(!identity(&field(DataType::Text, &[]), &text(8), LengthUnit::Characters));
    assert!(identity(&text(8), &field(DataType::Text, &[]), LengthUnit::Bytes));
    let bits = |dim| field(DataType::BinaryVector, &[("dim", dim)]);
    assert!(identity(&bits(8), &bits(8), LengthUnit::Bytes) && !identity(&bits(8), &bits(7), LengthUnit::Bytes));
    let array = |most| array_of(DataType::Int64, &[("max_capacity", most)]);
    assert!(identity(&array(2), &array(2), LengthUnit::Bytes));
    assert!(!identity(&array(3), &array(2), LengthUnit::Bytes));
    let checked = conversion(text(8), text(8));
    let column = texts(&["abc"]);
    assert!(Arc::ptr_eq(&checked.apply(&column).unwrap().array, &column));
}

#[test]
fn arrays_are_cut_before_their_elements_are_looked_at() {
    let from = array_of(DataType::VarChar, &[]);
    let to = array_of(DataType::VarChar, &[("max_capacity", 2), ("max_length", 2)]);
    let rows =
        vec![Some(json!(["aa", "b", "ccc"])), Some(json!(["aaa"])), None, Some(json!([])), Some(json!(["a", "b"]))];
    let column = from_values(rows, &from, LengthUnit::Bytes, false, true).unwrap().array;
    let cut = Conversion { truncate: true, ..conversion(from.clone(), to.clone()) }.apply(&column).unwrap();
    let got: Vec<_> = (0..5).map(|row| to_value(&to, &cut.array, row)).collect();
    assert_eq!(got, [json!(["aa", "b"]), json!(["aa"]), json!(null), json!([]), json!(["a", "b"])]);
    assert_eq!((cut.truncated, cut.misfits), (vec![0, 1], vec![]));
    let refused = conversion(from, to).apply(&column).unwrap();
    let reasons: Vec<_> = refused.misfits.iter().map(|misfit| (misfit.row, misfit.reason.as_str())).collect();
    assert_eq!(reasons, [(0, "3 elements, but max_capacity is 2"), (1, "element 0: 3 bytes, but max_length is 2")]);
    assert_eq!(refused.array.as_list::<i32>().values().len(), 2);
}

fn vectors(rows: &[&[f32]]) -> (Field, ArrayRef) {
    let dim = rows[0].len();
    let field = field(DataType::FloatVector, &[("dim", dim)]);
    let Some(arrow_schema::DataType::FixedSizeList(item, width)) = field.arrow() else { panic!() };
    let values = arrow_array::Float32Array::from(rows.concat());
    (field, Arc::new(arrow_array::FixedSizeListArray::new(item, width, Arc::new(values), None)))
}

#[test]
fn vectors_are_rounded_to_even_and_never_to_infinity() {
    let (from, column) = vectors(&[&[1.0, 2049.0], &[65_520.0, 1.0], &[f32::INFINITY, f32::NAN], &[1e-8, 65_519.0]]);
    let to = field(DataType::Float16Vector, &[("dim", 2)]);
    let converted = conversion(from.clone(), to).apply(&column).unwrap();
    assert_eq!(converted.misfits, [Misfit { row: 1, reason: "element 0: 65520.0 is outside FLOAT16_VECTOR".into() }]);
    let halves = converted.array.as_fixed_size_list().values().as_primitive::<Float16Type>().values();
    assert_eq!(halves[..2], [f16::from_f32(1.0), f16::from_f32(2048.0)]);
    assert!(halves[4].is_infinite() && halves[5].is_nan() && halves[6] == f16::ZERO);
    let (_, column) = vectors(&[&[f32::MAX, 1.0], &[1.003_906_3, 1.011_718_8]]);
    let to = field(DataType::BFloat16Vector, &[("dim", 2)]);
    let converted = conversion(from, to).apply(&column).unwrap();
    assert_eq!(converted.misfits.len(), 1);
    let brains = converted.array.as_fixed_size_binary().value(1);
    assert_eq!(brains, [bf16::from_f32(1.0).to_le_bytes(), bf16::from_f32(1.015_625).to_le_bytes()].concat());
}

#[test]
fn vectors_are_scaled_to_integers_and_back() {
    let (from, column) = vectors(&[&[1.0, -1.0, 0.5], &[1.01, 0.0, 0.0], &[f32::NAN, 0.0, 0.0]]);
    let to = field(DataType::Int8Vector, &[("dim", 3)]);
    let narrowed = conversion(from.clone(), to.clone()).apply(&column).unwrap();
    let reasons: Vec<_> = narrowed.misfits.iter().map(|misfit| misfit.reason.as_str()).collect();
    assert_eq!(reasons, ["element 0: 1.01 × 127 is outside INT8_VECTOR", "element 0: NaN is outside INT8_VECTOR"]);
    let quanta = narrowed.array.as_fixed_size_list().values().as_primitive::<Int8Type>().values();
    assert_eq!(quanta[..3], [127, -127, 64]);
    let (_, halves) = vectors(&[&[0.25, 0.75, -1.25]]);
    let doubled = Conversion { scale: 2.0, ..conversion(from.clone(), to.clone()) }.apply(&halves).unwrap();
    let quanta = doubled.array.as_fixed_size_list().values().as_primitive::<Int8Type>().values();
    assert_eq!(quanta[..], [0, 2, -2]);
    let widened = conversion(to.clone(), from.clone()).apply(&narrowed.array).unwrap();
    let floats = widened.array.as_fixed_size_list().values().as_primitive::<Float32Type>().values();
    assert_eq!((floats[0], floats[2]), (1.0, (64.0 / 127.0) as f32));
    let by_zero = Conversion { scale: 0.0, ..conversion(to, from) }.apply(&narrowed.array.slice(0, 1)).unwrap();
    assert_eq!(by_zero.misfits.len(), 1);
}

#[test]
fn values_of_all_kinds_have_a_json() {
    let sparse: Vec<u8> = [70_000_u32.to_le_bytes(), 0.1_f32.to_le_bytes()].concat();
    let sparse: ArrayRef = Arc::new(BinaryArray::from_iter_values([sparse]));
    assert_eq!(to_value(&field(DataType::SparseFloatVector, &[]), &sparse, 0), json!({"70000": 0.1}));
    let bits: ArrayRef = Arc::new(FixedSizeBinaryArray::try_from_iter([[255_u8, 0]].into_iter()).unwrap());
    assert_eq!(to_value(&field(DataType::BinaryVector, &[("dim", 16)]), &bits, 0), json!([255, 0]));
    let brain: ArrayRef =
        Arc::new(FixedSizeBinaryArray::try_from_iter([bf16::from_f32(1.5).to_le_bytes()].into_iter()).unwrap());
    assert_eq!(to_value(&field(DataType::BFloat16Vector, &[("dim", 1)]), &brain, 0), json!([1.5]));
    let (floats, column) = vectors(&[&[0.1, f32::NAN]]);
    assert_eq!(to_value(&floats, &column, 0), json!([0.1, null]));
    assert_eq!(to_value(&floats, &column, 1), json!(null));
    assert_eq!(to_value(&field(DataType::Json, &[]), &documents(&["{"]), 0), json!("{"));
    let inf: ArrayRef = Arc::new(Float64Array::from(vec![f64::INFINITY]));
    assert_eq!(to_value(&field(DataType::Double, &[]), &inf, 0), json!(null));
}

#[test]
fn constants_and_defaults_fit_or_say_why() {
    use DataType::{Array, Bool, Float, Int8, Int64, Json, Timestamptz, VarChar};
    let text = field(VarChar, &[("max_length", 3)]);
    assert_eq!(constant(&json!("äöü"), &text, LengthUnit::Bytes, true).unwrap_err(), "6 bytes, but max_length is 3");
    assert!(constant(&json!("äöü"), &text, LengthUnit::Characters, true).is_ok());
    assert_eq!(
        constant(&json!(5), &field(Json, &[]), LengthUnit::Bytes, false).unwrap_err(),
        "`5` is no JSON object, and the target's JSON holds nothing else"
    );
    let vector = field(DataType::FloatVector, &[("dim", 2)]);
    assert_eq!(
        constant(&json!([1, 2]), &vector, LengthUnit::Bytes, true).unwrap_err(),
        "a plan holds no values of FLOAT_VECTOR(2)"
    );
    for (value, data_type, expected) in [
        (json!(true), Bool, DefaultValue::Bool(true)),
        (json!(-5), Int8, DefaultValue::Int(-5)),
        (json!("7"), Int64, DefaultValue::Long(7)),
        (json!(0.1), Float, DefaultValue::Float(0.1)),
        (json!("en"), VarChar, DefaultValue::Text("en".into())),
        (json!("2025-01-01T01:00:00+01:00"), Timestamptz, DefaultValue::Text("2025-01-01T00:00:00Z".into())),
        (json!({"a": 1}), Json, DefaultValue::Bytes(b"{\"a\":1}".to_vec())),
    ] {
        let to = field(data_type, &[]);
        let default = default_value(&value, &to).unwrap();
        assert_eq!(default, expected);
        let row = default_array(&default, &to).unwrap();
        assert_eq!(&row, &constant(&value, &to, LengthUnit::Bytes, true).unwrap());
    }
    assert_eq!(default_value(&json!(300), &field(Int8, &[])).unwrap_err(), "300 is outside INT8");
    assert_eq!(default_value(&json!(null), &field(Int8, &[])).unwrap_err(), "null is no default value");
    assert_eq!(default_value(&json!([1]), &array_of(Int64, &[])).unwrap_err(), "ARRAY<INT64> has no default value");
    assert!(default_value(&json!([1]), &field(Array, &[])).is_err());
    let instant = default_array(&DefaultValue::Timestamp(1_500_000), &field(Timestamptz, &[])).unwrap();
    assert_eq!(instant.as_string::<i32>().value(0), "1970-01-01T00:00:01.500000Z");
    assert!(default_array(&DefaultValue::Bool(true), &field(Timestamptz, &[])).is_err());
}

#[test]
fn nulls_are_filled_and_nothing_else_is_touched() {
    let column: ArrayRef = Arc::new(Int64Array::from(vec![Some(0), None, Some(2), None]));
    let with: ArrayRef = Arc::new(Int64Array::from(vec![7]));
    let filled = fill_nulls(&column.slice(1, 3), &with).unwrap();
    assert_eq!(filled.as_ref(), &Int64Array::from(vec![7, 2, 7]));
    let full = column.slice(2, 1);
    assert!(Arc::ptr_eq(&fill_nulls(&full, &with).unwrap(), &full));
    assert!(fill_nulls(&column, &texts(&["a"])).is_err());
    assert!(fill_nulls(&column, &column).is_err());
}

#[test]
fn a_column_of_another_form_is_refused() {
    let conversion = conversion(field(DataType::Int64, &[]), field(DataType::Int8, &[]));
    assert!(matches!(conversion.apply(&texts(&["1"])), Err(BatchError::Type { .. })));
}
