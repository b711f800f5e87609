use proptest::prelude::*;
use serde_json::json;

use super::*;

fn column(rows: &[Option<&str>]) -> ArrayRef {
    Arc::new(BinaryArray::from_iter(rows.iter().map(|row| row.map(str::as_bytes))))
}

fn lift(keys: &[&str], keep: bool) -> Lift {
    Lift { keys: keys.iter().map(|key| (*key).to_owned()).collect(), keep }
}

fn texts(column: Option<&ArrayRef>) -> Vec<Option<String>> {
    let rows = column.unwrap().as_binary::<i32>().iter();
    rows.map(|row| row.map(|row| String::from_utf8_lossy(row).into_owned())).collect()
}

fn reworked(rows: &[Option<&str>], lifts: &[Lift], sinks: &[(String, Vec<Option<Value>>)]) -> Reworked {
    rework(Some(&column(rows)), rows.len(), lifts, sinks, &[], true).unwrap()
}

fn some(text: &str) -> Option<String> {
    Some(text.to_owned())
}

#[test]
fn a_key_is_taken_out_and_the_rest_keeps_its_bytes() {
    let odd =
        r#"{"big" : 123456789012345678901234567890, "a": {"b": 1.50 , "c":1e400}, "\u00e4":"\ud800", "lang":"en"}"#;
    let result = reworked(
        &[Some(odd), None, Some("{}"), Some(r#"{"a":5,"lang":null}"#)],
        &[lift(&["lang"], false), lift(&["a", "b"], false)],
        &[],
    );
    assert_eq!(result.lifted[0], [Some(json!("en")), None, None, None]);
    assert_eq!(result.lifted[1], [Some(json!(1.5)), None, None, None]);
    assert_eq!(
        texts(result.column.as_ref()),
        [
            some(r#"{"big":123456789012345678901234567890,"a":{"c":1e400},"\u00e4":"\ud800"}"#),
            None,
            some("{}"),
            some(r#"{"a":5}"#)
        ]
    );
    assert_eq!(result.misfits, []);
}

#[test]
fn an_object_that_is_emptied_stays() {
    let result = reworked(&[Some(r#"{"a":{"b":{"c":1}}}"#)], &[lift(&["a", "b", "c"], false)], &[]);
    assert_eq!(texts(result.column.as_ref()), [some(r#"{"a":{"b":{}}}"#)]);
}

#[test]
fn lifts_that_overlap_all_read_the_row_as_it_came() {
    let lifts = [lift(&["a"], true), lift(&["a", "b"], false), lift(&[], true), lift(&["a", "b"], true)];
    let result = reworked(&[Some(r#"{"a":{"b":1,"c":2}}"#)], &lifts, &[]);
    let whole = json!({"a": {"b": 1, "c": 2}});
    let found: Vec<_> = result.lifted.iter().map(|values| values[0].clone().unwrap()).collect();
    assert_eq!(found, [whole["a"].clone(), json!(1), whole, json!(1)]);
    assert_eq!(texts(result.column.as_ref()), [some(r#"{"a":{"c":2}}"#)]);
}

#[test]
fn a_whole_object_can_be_lifted() {
    let result = reworked(&[Some(r#"{"a":1}"#), None], &[lift(&[], false)], &[]);
    assert_eq!(result.lifted[0], [Some(json!({"a": 1})), Some(json!({}))]);
    assert_eq!(texts(result.column.as_ref()), [some("{}"), None]);
}

#[test]
fn of_two_members_of_one_name_the_last_counts_and_both_go() {
    let result = reworked(&[Some(r#"{"a":1,"b":0,"\u0061":2}"#)], &[lift(&["a"], false)], &[]);
    assert_eq!(result.lifted[0], [Some(json!(2))]);
    assert_eq!(texts(result.column.as_ref()), [some(r#"{"b":0}"#)]);
}

#[test]
fn columns_become_keys() {
    let sinks = [("say \"it\"".to_owned(), vec![Some(json!([1])), None, Some(json!("x"))])];
    let result = reworked(&[None, Some(r#"{ "a":1 }"#), Some(r#"{ "a":1 }"#)], &[], &sinks);
    assert_eq!(
        texts(result.column.as_ref()),
        [some(r#"{"say \"it\"":[1]}"#), some(r#"{ "a":1 }"#), some(r#"{"a":1,"say \"it\"":"x"}"#)]
    );
    let fresh = rework(None, 3, &[lift(&["a"], false)], &sinks, &[], true).unwrap();
    assert_eq!(fresh.lifted, [vec![None, None, None]]);
    assert_eq!(
        texts(fresh.column.as_ref()),
        [some(r#"{"say \"it\"":[1]}"#), some("{}"), some(r#"{"say \"it\"":"x"}"#)]
    );
}

#[test]
fn what_does_not_fit_is_named() {
    let column = column(&[
        Some("[1]"),
        Some("{"),
        Some(r#"{"k":1}"#),
        Some(r#"{"lang":1,"b":2}"#),
        Some(r#"{"n":99999999999999999999}"#),
        Some(r#"{"n":1} x"#),
    ]);
    let sinks = [("k".to_owned(), vec![None, Some(json!(1)), Some(json!(2)), None, None, None])];
    let result = rework(Some(&column), 6, &[lift(&["n"], false)], &sinks, &["lang".to_owned()], true).unwrap();
    let reasons: Vec<_> = result.misfits.iter().map(|misfit| (misfit.row, misfit.reason.as_str())).collect();
    assert_eq!(
        reasons,
        [
            (0, "`[1]` is no JSON object"),
            (1, "`{` is no JSON object"),
            (2, "the key `k` exists already"),
            (3, "the key `lang` has the name of a field of the target"),
            (5, "`{\"n\":1} x` is no JSON object"),
        ]
    );
    let reasons: Vec<_> =
        result.unreadable.iter().map(|(lift, misfit)| (*lift, misfit.row, misfit.reason.as_str())).collect();
    assert_eq!(reasons, [(0, 4, "99999999999999999999 is an integer beyond 64 bits")]);
    let expected = [None, None, some(r#"{"k":1}"#), some(r#"{"b":2}"#), some("{}"), None];
    assert_eq!(texts(result.column.as_ref()), expected);
}

#[test]
fn a_column_that_nothing_is_asked_of_is_shared() {
    let column = column(&[Some("no json"), None]);
    let result = rework(Some(&column), 2, &[], &[("k".into(), vec![None, None])], &[], true).unwrap();
    assert!(Arc::ptr_eq(result.column.as_ref().unwrap(), &column));
    assert_eq!(result.misfits, []);
    assert!(rework(Some(&column), 2, &[], &[], &[], false).unwrap().column.is_none());
    assert!(matches!(rework(Some(&column), 3, &[], &[], &[], false), Err(BatchError::Length { .. })));
    let numbers: ArrayRef = Arc::new(arrow_array::Int8Array::from(vec![1, 2]));
    assert!(rework(Some(&numbers), 2, &[], &[], &[], false).is_err());
}

#[test]
fn keys_are_counted_with_their_types() {
    let mut census = KeyCensus::default();
    census.add(&column(&[Some(r#"{"a":1,"b":null,"a":2}"#), None, Some(r#"{"a":-1.5e3,"b":true}"#)])).unwrap();
    let mut other = KeyCensus::default();
    let long = format!(r#"{{"c":["{}"],"a":"x"}}"#, "ä".repeat(60));
    other.add(&column(&[Some(&long), Some("7"), Some("{\"d\":{\n}}")]).slice(0, 3)).unwrap();
    census.merge(other);
    assert_eq!(census.unreadable, 1);
    let seen = |key: &str| {
        let seen = &census.keys[key];
        (seen.count, seen.types.iter().copied().collect::<Vec<_>>().join(" "), seen.example.as_str())
    };
    assert_eq!(seen("a"), (3, "float int string".into(), "2"));
    assert_eq!(seen("b"), (2, "bool null".into(), "null"));
    assert_eq!(seen("c"), (1, "array".into(), format!("[\"{}…", "ä".repeat(37)).as_str()));
    assert_eq!(seen("d"), (1, "object".into(), "{ }"));
}

fn json_values() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        "\\PC{0,4}".prop_map(Value::from),
    ];
    leaf.prop_recursive(3, 16, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..3).prop_map(Value::from),
            prop::collection::hash_map("[abc\"ä]{0,2}", inner, 0..4)
                .prop_map(|members| Value::Object(members.into_iter().collect())),
        ]
    })
}

fn objects() -> impl Strategy<Value = Value> {
    prop::collection::hash_map("[abc\"ä]{0,2}", json_values(), 0..5)
        .prop_map(|members| Value::Object(members.into_iter().collect()))
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 500, ..ProptestConfig::default() })]

    #[test]
    fn lifting_nothing_that_is_there_keeps_every_byte(
        rows in prop::collection::vec(prop::option::of(objects()), 0..5),
        start in 0_usize..3,
    ) {
        let written: Vec<_> = rows.iter().map(|row| row.as_ref().map(|row| format!(" {row:#}"))).collect();
        let all = column(&written.iter().map(Option::as_deref).collect::<Vec<_>>());
        let start = start.min(all.len());
        let part = all.slice(start, all.len() - start);
        let lifts = [lift(&["absent"], false), lift(&["a", "absent"], false), lift(&["a"], true)];
        let result = rework(Some(&part), part.len(), &lifts, &[], &["missing".to_owned()], true).unwrap();
        prop_assert!(result.misfits.is_empty(), "{:?}", result.misfits);
        prop_assert!(Arc::ptr_eq(result.column.as_ref().unwrap(), &part));
    }

    #[test]
    fn lifted_and_added_again_is_the_same_value(rows in prop::collection::vec(objects(), 0..5)) {
        let written: Vec<_> = rows.iter().map(Value::to_string).collect();
        let before = column(&written.iter().map(|row| Some(row.as_str())).collect::<Vec<_>>());
        let taken = rework(Some(&before), rows.len(), &[lift(&["a"], false)], &[], &[], true).unwrap();
        let sinks = [("a".to_owned(), taken.lifted[0].clone())];
        let again = rework(taken.column.as_ref(), rows.len(), &[], &sinks, &[], true).unwrap();
        prop_assert!(again.misfits.is_empty(), "{:?}", again.misfits);
        for (row, text) in rows.iter().zip(texts(again.column.as_ref())) {
            let mut expected = row.clone();
            // A null is lifted as nothing, so it does not come back.
            if expected["a"].is_null() {
                expected.as_object_mut().unwrap().remove("a");
            }
            prop_assert_eq!(serde_json::from_str::<Value>(&text.unwrap()).unwrap(), expected);
        }
    }

    #[test]
    fn no_text_breaks_it(rows in prop::collection::vec("[{}\\[\\]\":,a\\\\u0-9 ]{0,14}", 1..6), keep in any::<bool>()) {
        let rows: Vec<_> = rows.iter().map(|row| Some(row.as_str())).collect();
        let sinks = [("a".to_owned(), vec![Some(Value::Null); rows.len()])];
        let result = reworked(&rows, &[lift(&["a"], keep), lift(&["a", "a"], false)], &sinks);
        for (row, text) in texts(result.column.as_ref()).into_iter().enumerate() {
            prop_assert!(text.is_some() || result.misfits.iter().any(|misfit| misfit.row == row));
            prop_assert!(text.is_none_or(|text| serde_json::from_str::<&RawValue>(&text).is_ok()));
        }
        KeyCensus::default().add(&column(&rows)).unwrap();
    }
}
