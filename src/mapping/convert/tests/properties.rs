//! What holds for every pair of types, whatever the values, and for slices as for whole columns.

use super::*;

const SCALARS: [DataType; 12] = [
    DataType::Bool,
    DataType::Int8,
    DataType::Int16,
    DataType::Int32,
    DataType::Int64,
    DataType::Float,
    DataType::Double,
    DataType::VarChar,
    DataType::Text,
    DataType::Timestamptz,
    DataType::Geometry,
    DataType::Json,
];
const VECTORS: [DataType; 5] = [
    DataType::FloatVector,
    DataType::Float16Vector,
    DataType::BFloat16Vector,
    DataType::Int8Vector,
    DataType::BinaryVector,
];
const TEXTS: [&str; 16] = [
    "",
    "1",
    "-129",
    "1.5",
    "1e400",
    "NaN",
    "True",
    "äöü🎉",
    "{\"a\":1}",
    "[1,2.5,\"x\"]",
    "null",
    "\"12\"",
    "123456789012345678901234567890",
    "2025-01-01T00:00:00+08:00",
    "\u{0}\n",
    "{\"a\":",
];

fn fields() -> impl Strategy<Value = Field> {
    let limit = || prop::option::of(0_usize..6);
    let params = |names: [&'static str; 2], limits: [Option<usize>; 2]| {
        let both = names.into_iter().zip(limits);
        both.filter_map(|(name, limit)| Some((name, limit?))).collect::<Vec<_>>()
    };
    prop_oneof![
        4 => (prop::sample::select(&SCALARS), limit())
            .prop_map(move |(data_type, most)| field(data_type, &params(["max_length", ""], [most, None]))),
        2 => (prop::sample::select(&SCALARS), limit(), limit()).prop_map(move |(element, length, capacity)| {
            array_of(element, &params(["max_length", "max_capacity"], [length, capacity]))
        }),
        2 => (prop::sample::select(&VECTORS), 1_usize..4)
            .prop_map(|(data_type, dim)| field(data_type, &[("dim", if data_type == DataType::BinaryVector { 8 * dim } else { dim })])),
        1 => Just(field(DataType::SparseFloatVector, &[])),
        1 => Just(field(DataType::Unknown(77), &[])),
    ]
}

fn int(seed: u64) -> i64 {
    const INTS: [i64; 9] = [0, 1, -1, 127, 128, -32_769, 16_777_217, i64::MAX, i64::MIN];
    if seed.is_multiple_of(3) { seed.cast_signed() } else { INTS[(seed % 9) as usize] }
}

fn float(seed: u64) -> f64 {
    const FLOATS: [f64; 9] = [0.0, -0.0, 1.0, 0.5, 1e39, f64::MAX, f64::NAN, f64::INFINITY, 2_147_483_648.0];
    if seed.is_multiple_of(3) { f64::from_bits(seed) } else { FLOATS[(seed % 9) as usize] }
}

/// A column of whatever; every seed is a row.
fn random(field: &Field, seeds: &[Option<u64>]) -> ArrayRef {
    let text = |seed: u64| TEXTS[(seed % 16) as usize];
    let bytes = |width: usize| {
        let rows = seeds.iter().map(|seed| seed.map(|seed| vec![seed as u8; width]));
        Arc::new(FixedSizeBinaryArray::try_from_sparse_iter_with_size(rows, width as i32).unwrap()) as ArrayRef
    };
    match field.data_type {
        DataType::Bool => {
            Arc::new(arrow_array::BooleanArray::from_iter(seeds.iter().map(|seed| seed.map(|s| s % 2 == 0))))
        }
        DataType::Int8 => {
            Arc::new(arrow_array::Int8Array::from_iter(seeds.iter().map(|seed| seed.map(|s| int(s) as i8))))
        }
        DataType::Int16 => {
            Arc::new(arrow_array::Int16Array::from_iter(seeds.iter().map(|seed| seed.map(|s| int(s) as i16))))
        }
        DataType::Int32 => {
            Arc::new(arrow_array::Int32Array::from_iter(seeds.iter().map(|seed| seed.map(|s| int(s) as i32))))
        }
        DataType::Int64 => Arc::new(Int64Array::from_iter(seeds.iter().map(|seed| seed.map(int)))),
        DataType::Float => {
            Arc::new(arrow_array::Float32Array::from_iter(seeds.iter().map(|seed| seed.map(|s| float(s) as f32))))
        }
        DataType::Double => Arc::new(Float64Array::from_iter(seeds.iter().map(|seed| seed.map(float)))),
        DataType::Json => Arc::new(BinaryArray::from_iter(
            seeds
                .iter()
                .map(|seed| seed.map(|s| if s % 17 == 0 { b"\xff\xfe".as_slice() } else { text(s).as_bytes() })),
        )),
        DataType::SparseFloatVector => Arc::new(BinaryArray::from_iter(
            seeds.iter().map(|seed| seed.map(|s| s.to_le_bytes().repeat((s % 3) as usize))),
        )),
        DataType::Array => {
            let lengths: Vec<usize> = seeds.iter().map(|seed| seed.map_or(0, |s| (s % 5) as usize)).collect();
            let items: Vec<_> = seeds
                .iter()
                .zip(&lengths)
                .flat_map(|(seed, length)| (0..*length as u64).map(move |at| seed.map(|s| s.wrapping_add(at * 7))))
                .collect();
            let values = random(&list::item(field), &items);
            let Some(arrow_schema::DataType::List(item)) = field.arrow() else { panic!() };
            let nulls = arrow_buffer::NullBuffer::from_iter(seeds.iter().map(Option::is_some));
            let offsets = arrow_buffer::OffsetBuffer::from_lengths(lengths);
            Arc::new(arrow_array::ListArray::new(item, offsets, values, Some(nulls)))
        }
        DataType::BFloat16Vector => bytes(2 * field.dim().unwrap()),
        DataType::BinaryVector => bytes(field.dim().unwrap() / 8),
        data_type if data_type.is_vector() => {
            let dim = field.dim().unwrap();
            let seeds_of_items =
                seeds.iter().flat_map(|seed| (0..dim as u64).map(move |at| seed.unwrap_or(7).wrapping_add(at)));
            let values: ArrayRef = match data_type {
                DataType::FloatVector => {
                    Arc::new(arrow_array::Float32Array::from_iter_values(seeds_of_items.map(|s| float(s) as f32)))
                }
                DataType::Float16Vector => Arc::new(arrow_array::Float16Array::from_iter_values(
                    seeds_of_items.map(|s| f16::from_bits(s as u16)),
                )),
                _ => Arc::new(arrow_array::Int8Array::from_iter_values(seeds_of_items.map(|s| s as i8))),
            };
            let Some(arrow_schema::DataType::FixedSizeList(item, width)) = field.arrow() else { panic!() };
            let nulls = arrow_buffer::NullBuffer::from_iter(seeds.iter().map(Option::is_some));
            Arc::new(arrow_array::FixedSizeListArray::new(item, width, values, Some(nulls)))
        }
        _ => Arc::new(StringArray::from_iter(seeds.iter().map(|seed| seed.map(text)))),
    }
}

fn seeds() -> impl Strategy<Value = Vec<Option<u64>>> {
    prop::collection::vec(prop::option::weighted(0.8, any::<u64>()), 0..12)
}

/// A slice that begins and ends anywhere.
fn slice(column: &ArrayRef, from: usize, length: usize) -> ArrayRef {
    let from = from.min(column.len());
    column.slice(from, length.min(column.len() - from))
}

/// Whether a converted column keeps its promises towards the column that it came of.
fn keeps_its_promises(conversion: &Conversion, column: &ArrayRef, converted: &Converted) {
    let Converted { array, misfits, truncated } = converted;
    assert_eq!(Some(array.data_type()), conversion.to.arrow().as_ref());
    assert_eq!(array.len(), column.len());
    array.to_data().validate_full().unwrap();
    assert!(misfits.windows(2).all(|pair| pair[0].row < pair[1].row), "{misfits:?}");
    assert!(truncated.windows(2).all(|pair| pair[0] < pair[1]), "{truncated:?}");
    for misfit in misfits {
        assert!(column.is_valid(misfit.row) && array.is_null(misfit.row) && !misfit.reason.contains('\n'));
        assert!(!truncated.contains(&misfit.row));
    }
    for row in 0..column.len() {
        let listed = misfits.iter().any(|misfit| misfit.row == row);
        let json_null =
            conversion.from.data_type == DataType::Json && to_value(&conversion.from, column, row).is_null();
        assert_eq!(array.is_null(row), column.is_null(row) || listed || json_null, "row {row}");
    }
    // What came out fits, so that a second pass finds nothing to do.
    let again = Conversion { from: Field { params: [].into(), ..conversion.to.clone() }, ..conversion.clone() };
    if conversion.to.dim().is_none() {
        let again = again.apply(array).unwrap();
        assert!(again.misfits.is_empty() && again.truncated.is_empty() && again.array.as_ref() == array.as_ref());
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1500, ..ProptestConfig::default() })]

    #[test]
    fn no_column_of_any_type_breaks_a_conversion(
        from in fields(),
        to in fields(),
        seeds in seeds(),
        (start, length) in (0_usize..6, 0_usize..12),
        (bytes, truncate, json_scalars, scale) in (any::<bool>(), any::<bool>(), any::<bool>(), any::<f64>()),
    ) {
        let unit = if bytes { LengthUnit::Bytes } else { LengthUnit::Characters };
        let conversion = Conversion { from, to, scale, unit, truncate, json_scalars };
        let possible = Conversion::check(&conversion.from, &conversion.to, json_scalars);
        if conversion.from.arrow().is_none() {
            prop_assert!(possible.is_err());
            return Ok(());
        }
        let column = slice(&random(&conversion.from, &seeds), start, length);
        for row in 0..=column.len() {
            to_value(&conversion.from, &column, row);
        }
        let converted = conversion.apply(&column);
        prop_assert_eq!(converted.is_ok(), possible.is_ok() || conversion.is_identity(), "{:?}", converted);
        let Ok(converted) = converted else { return Ok(()) };
        if conversion.is_identity() {
            prop_assert!(Arc::ptr_eq(&converted.array, &column));
        } else {
            keeps_its_promises(&conversion, &column, &converted);
        }
    }

    #[test]
    fn any_value_becomes_any_type_or_a_misfit(
        to in fields(),
        rows in prop::collection::vec(prop::option::of(prop::sample::select(&TEXTS)), 0..8),
        truncate in any::<bool>(),
    ) {
        let values: Vec<_> = rows
            .iter()
            .map(|text| text.map(|text| exact(text).unwrap_or_else(|_| Value::from(text))))
            .collect();
        let Ok(converted) = from_values(values.clone(), &to, LengthUnit::Bytes, truncate, false) else {
            prop_assert!(to.data_type.is_vector() || to.arrow().is_none() || to.element_type == Some(DataType::Unknown(0)));
            return Ok(());
        };
        prop_assert_eq!(converted.array.len(), values.len());
        for (row, value) in values.iter().enumerate() {
            let listed = converted.misfits.iter().any(|misfit| misfit.row == row);
            let absent = value.as_ref().is_none_or(Value::is_null);
            prop_assert_eq!(converted.array.is_null(row), absent || listed);
        }
    }

    #[test]
    fn there_and_back_is_the_same(seeds in seeds(), start in 0_usize..4) {
        use DataType::{BFloat16Vector, Bool, Double, Float, Float16Vector, FloatVector, Int8, Int16, Int32, Int64, Json, Text, VarChar};
        let plain = |data_type| field(data_type, &[]);
        let vector = |data_type| field(data_type, &[("dim", 3)]);
        let scalars = [(Int8, Int16), (Int8, Float), (Int16, Int32), (Int32, Int64), (Int32, Double), (Int16, Float), (Float, Double), (Bool, Int8), (Bool, Double)];
        let through_text = [Bool, Int8, Int64, Float, Double].map(|data_type| (data_type, VarChar));
        let through_json = [Bool, Int32, Int64, Float, Double, VarChar].map(|data_type| (data_type, Json));
        let pairs = scalars.into_iter().chain(through_text).chain(through_json);
        // Text goes to JSON as JSON and comes back as text, so only other types are there and back in arrays.
        let scalar_pairs = pairs.filter(|(narrow, _)| *narrow != VarChar).map(|(narrow, wide)| (plain(narrow), plain(wide)));
        let array_pairs = [(Int8, Int64), (Float, Double), (Bool, Int8), (Int32, Text)].map(|(a, b)| (array_of(a, &[]), array_of(b, &[])));
        let vector_pairs = [(Float16Vector, FloatVector), (BFloat16Vector, FloatVector)].map(|(a, b)| (vector(a), vector(b)));
        for (narrow, wide) in scalar_pairs.chain(array_pairs).chain(vector_pairs) {
            let column = slice(&random(&narrow, &seeds), start, 12);
            let there = conversion(narrow.clone(), wide.clone()).apply(&column).unwrap();
            let back = conversion(wide.clone(), narrow.clone()).apply(&there.array).unwrap();
            prop_assert!(back.misfits.is_empty(), "{:?}", back.misfits);
            for row in 0..column.len() {
                if there.array.is_valid(row) {
                    let (was, is) = (to_value(&narrow, &column, row), to_value(&narrow, &back.array, row));
                    prop_assert_eq!(was, is, "{} by way of {}", narrow.type_text(), wide.type_text());
                } else {
                    // NaN and infinities have no text and no JSON.
                    let lost = to_value(&narrow, &column, row);
                    prop_assert!(lost.is_null(), "{} by way of {}", lost, wide.type_text());
                }
            }
        }
    }

    #[test]
    fn what_is_cut_fits_and_is_a_beginning(text in "\\PC{0,12}", most in 0_usize..12, bytes in any::<bool>()) {
        let unit = if bytes { LengthUnit::Bytes } else { LengthUnit::Characters };
        let cut = limits::cut_text(&text, most, unit);
        prop_assert!(text.starts_with(cut));
        let length = |text: &str| if bytes { text.len() } else { text.chars().count() };
        prop_assert!(length(cut) <= most);
        // Nothing was cut that would have fitted.
        let next = text[cut.len()..].chars().next();
        let longer = next.map(|next| format!("{cut}{next}"));
        prop_assert!(longer.is_none_or(|longer| length(&longer) > most));
    }

    #[test]
    fn filled_columns_have_no_nulls(field in fields(), seeds in seeds(), seed in any::<u64>(), start in 0_usize..4) {
        if field.arrow().is_none() {
            return Ok(());
        }
        let column = slice(&random(&field, &seeds), start, 12);
        let filled = fill_nulls(&column, &random(&field, &[Some(seed)])).unwrap();
        prop_assert_eq!((filled.null_count(), filled.len()), (0, column.len()));
        prop_assert_eq!(filled.data_type(), column.data_type());
    }
}
