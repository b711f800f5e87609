//! What the target's server cannot hold, and what has to change so that it can.

use super::{Remark, Remarks};
use crate::collection::{Capabilities, CollectionSchema, DataType, Field, FunctionKind, LengthUnit};

/// Fits one field to the target, and names what does not fit.
pub(super) fn fit_field(field: &mut Field, from: &Capabilities, to: &Capabilities, found: &mut Remarks) {
    let name = field.name.clone();
    let server = &to.server;
    let blocked = |message: String, help: &str| Remark::new(Some(&name), message).help(help);
    let carried = field.arrow().is_some();
    if !carried {
        found.blocked.push(blocked(format!("vecferry cannot carry {}", field.type_text()), "leave it out with `drop`"));
    } else if !to.types.contains(&field.data_type) {
        found.blocked.push(blocked(
            format!("{server} cannot hold {}", field.type_text()),
            "leave it out with `drop`, or choose a newer target",
        ));
    }
    if let Some(element) = field.element_type.filter(|element| carried && !to.types.contains(element)) {
        found.blocked.push(blocked(format!("{server} cannot hold arrays of {element}"), "leave it out with `drop`"));
    }
    if field.nullable && !(if field.data_type.is_vector() { to.nullable_vectors } else { to.nullable }) {
        found.blocked.push(blocked(
            format!("the field is nullable, and {server} would turn its nulls into zeros"),
            "say `nullable: false` with a `default` for rows without a value, or leave it out with `drop`",
        ));
    }
    if field.default.is_some() && !to.defaults {
        found.blocked.push(blocked(
            format!("the field has a default value, which {server} does not keep"),
            "say `default: null`, or choose a newer target",
        ));
    } else if field.default.is_some() && field.data_type == DataType::Json && !to.json_defaults {
        found.blocked.push(blocked(format!("{server} cannot hold a default value of JSON"), "say `default: null`"));
    } else if field.default.is_some() && !to.omitted_defaults {
        found.with_defaults.push(name.clone());
    }
    if field.clustering_key && !to.clustering_key {
        field.clustering_key = false;
        found.warnings.push(Remark::new(Some(&name), format!("{server} keeps no clustering key: it is left out")));
    }
    if field.data_type == DataType::Float16Vector && !to.float16_search {
        found.warnings.push(
            Remark::new(
                Some(&name),
                format!("{server} stores FLOAT16_VECTOR as it is, and its searches in it find wrong rows"),
            )
            .help("keep FLOAT_VECTOR, or choose a newer target"),
        );
    }
    if field.partition_key && field.nullable {
        found.blocked.push(blocked(
            "a partition key must not be nullable".into(),
            "say `nullable: false`, and `default` or `on_misfit` for rows without a value",
        ));
    }
    fit_length(field, from, to, found);
    check_name("field", &name, to, found);
}

/// Fits the length of text: a target may need one that the source does not know, or count it in another unit.
fn fit_length(field: &mut Field, from: &Capabilities, to: &Capabilities, found: &mut Remarks) {
    let text = field.data_type == DataType::VarChar;
    let array = field.data_type == DataType::Array && field.element_type == Some(DataType::VarChar);
    if !text && !array {
        return;
    }
    match field.max_length() {
        None if text || to.array_text_needs_length => {
            let length = to.max_text_length.min(65_535);
            field.params.insert("max_length".into(), length.to_string());
            let message = format!("max_length {length}: the source does not say one and {} needs it", to.server);
            found.notes.push(Remark::new(Some(&field.name), message));
        }
        Some(length) if length > to.max_text_length => found.blocked.push(
            Remark::new(
                Some(&field.name),
                format!("max_length {length}: {} holds at most {}", to.server, to.max_text_length),
            )
            .help("leave it out with `drop`"),
        ),
        _ => {}
    }
    if from.length_unit == LengthUnit::Characters && to.length_unit == LengthUnit::Bytes {
        found.in_other_units.push(field.name.clone());
    }
}

/// What concerns many fields in the same way is said once.
pub(super) fn about_many(found: &mut Remarks, to: &Capabilities) {
    if !found.in_other_units.is_empty() {
        let names = found.in_other_units.join(", ");
        let message = format!(
            "max_length counts characters on the source and bytes on the target: a row whose text is too long there stops \
             the copy and is named ({names})"
        );
        found.warnings.push(Remark::new(None, message));
    }
    if !found.with_defaults.is_empty() {
        let (names, server) = (found.with_defaults.join(", "), &to.server);
        let message = format!(
            "{server} keeps default values, but dies when an insert leaves such a field out: writers must send them ({names})"
        );
        found.warnings.push(Remark::new(None, message));
    }
}

/// Fits what concerns the collection as a whole.
pub(super) fn fit_whole(schema: &mut CollectionSchema, target_name: &str, to: &Capabilities, found: &mut Remarks) {
    check_name("collection", target_name, to, found);
    for name in &schema.struct_fields {
        found.blocked.push(
            Remark::new(Some(name), "fields made of sub-fields (ARRAY_OF_STRUCT) are not carried yet")
                .help("leave the collection out with `exclude`"),
        );
    }
    for function in &schema.functions {
        if !to.functions {
            found.blocked.push(
                Remark::new(None, format!("{} cannot run function `{}` ({})", to.server, function.name, function.kind))
                    .help(format!("leave out the fields it fills: drop: [{}]", function.outputs.join(", "))),
            );
        } else if function.kind != FunctionKind::Bm25 {
            found.warnings.push(Remark::new(
                None,
                format!("function `{}` ({}) computes its fields anew on the target", function.name, function.kind),
            ));
        }
    }
    let vectors = schema.fields.iter().filter(|field| field.data_type.is_vector()).count();
    if vectors == 0 {
        found.blocked.push(
            Remark::new(None, "no vector field is left, and a collection needs one").help("take one out of `drop`"),
        );
    }
    if vectors > to.max_vector_fields {
        let most = to.max_vector_fields;
        found.blocked.push(
            Remark::new(None, format!("{vectors} vector fields: {} holds at most {most}", to.server))
                .help("leave some out with `drop`"),
        );
    }
    if !to.keeps_settings {
        let mut lost = Vec::new();
        if !schema.description.is_empty() || schema.fields.iter().any(|field| !field.description.is_empty()) {
            lost.push("descriptions");
        }
        if schema.consistency.take().is_some() {
            lost.push("the consistency level");
        }
        if schema.key_partitions.take().is_some() {
            lost.push("the number of partitions behind the partition key");
        }
        schema.description.clear();
        schema.fields.iter_mut().for_each(|field| field.description.clear());
        if !lost.is_empty() {
            found.notes.push(Remark::new(None, format!("{} does not keep {}", to.server, lost.join(", "))));
        }
    }
}

/// Milvus allows ASCII letters, digits and underscores, not beginning with a digit, up to 255 of them.
pub(super) fn check_name(what: &str, name: &str, to: &Capabilities, found: &mut Remarks) {
    let fits = name.len() <= 255
        && name.chars().all(|character| character.is_ascii_alphanumeric() || character == '_')
        && !name.starts_with(|character: char| character.is_ascii_digit());
    if to.strict_names && !fits {
        let remark = Remark::new(
            (what == "field").then_some(name),
            format!("{what} name `{name}`: {} takes letters, digits and underscores only", to.server),
        );
        found.blocked.push(remark.help(match what {
            "collection" => "give it another name with `target`",
            "field" => "give it another name: `fields: {NEW_NAME: {from: OLD_NAME}}`",
            _ => "give it another name with `partitions: {rename: ...}`",
        }));
    }
}
