//! The protocol's description of a collection, to vecferry's words and back.

use std::collections::BTreeMap;

use milvus::proto::common::{ConsistencyLevel, KeyValuePair};
use milvus::proto::milvus::DescribeCollectionResponse;
use milvus::proto::schema::{
    self, CollectionSchema as WireSchema, FieldSchema, FunctionSchema, FunctionType, ValueField, value_field,
};

use crate::collection::{
    CollectionSchema, Consistency, DEFAULT_PARTITION, DYNAMIC_FIELD, DataType, DefaultValue, Field, Function,
    FunctionKind,
};

/// Prefix of the properties that are vecferry's own mark on a collection.
pub const MARK_PREFIX: &str = "vecferry.";

/// The schema, and the mark apart from it.
pub fn read(answer: &DescribeCollectionResponse, lite: bool) -> (CollectionSchema, BTreeMap<String, String>) {
    let wire = answer.schema.clone().unwrap_or_default();
    let (mark, properties) = pairs(&answer.properties).into_iter().partition(|(name, _)| name.starts_with(MARK_PREFIX));
    let fields: Vec<Field> =
        wire.fields.iter().filter(|field| !field.is_dynamic && field.name != DYNAMIC_FIELD).map(read_field).collect();
    let outputs: Vec<&String> = wire.functions.iter().flat_map(|function| &function.output_field_names).collect();
    let fields = fields
        .into_iter()
        .map(|field| Field { function_output: field.function_output || outputs.contains(&&field.name), ..field })
        .collect::<Vec<_>>();
    let partition_key = fields.iter().any(|field| field.partition_key);
    let schema = CollectionSchema {
        description: wire.description,
        dynamic_field: wire.enable_dynamic_field,
        functions: wire.functions.iter().map(read_function).collect(),
        shards: u32::try_from(answer.shards_num).unwrap_or_default(),
        consistency: if lite { None } else { consistency(answer.consistency_level) },
        properties,
        key_partitions: (partition_key && !lite)
            .then(|| u32::try_from(answer.num_partitions).unwrap_or_default())
            .filter(|number| *number > 0),
        struct_fields: wire.struct_array_fields.iter().map(|field| field.name.clone()).collect(),
        fields,
    };
    (schema, mark)
}

/// What makes a schema one that no collection has. Everything behind the connector relies on these, so a server that says
/// otherwise is not believed.
pub fn nonsense(schema: &CollectionSchema) -> Option<String> {
    let keys: Vec<&Field> = schema.fields.iter().filter(|field| field.primary_key).collect();
    let twice = schema
        .fields
        .iter()
        .enumerate()
        .find(|(number, field)| schema.fields[..*number].iter().any(|before| before.name == field.name));
    match keys.as_slice() {
        [] => Some("the description names no primary key".to_owned()),
        [key] if !matches!(key.data_type, DataType::Int64 | DataType::VarChar) => {
            Some(format!("the description says that the primary key `{}` is {}", key.name, key.type_text()))
        }
        [_] => twice.map(|(_, field)| format!("the description has two fields named `{}`", field.name)),
        [first, second, ..] => {
            Some(format!("the description names two primary keys, `{}` and `{}`", first.name, second.name))
        }
    }
}

fn read_field(wire: &FieldSchema) -> Field {
    let element = DataType::from_number(wire.element_type);
    Field {
        name: wire.name.clone(),
        description: wire.description.clone(),
        data_type: DataType::from_number(wire.data_type),
        element_type: (wire.element_type != 0).then_some(element),
        params: pairs(&wire.type_params),
        primary_key: wire.is_primary_key,
        auto_id: wire.auto_id,
        partition_key: wire.is_partition_key,
        clustering_key: wire.is_clustering_key,
        nullable: wire.nullable,
        default: wire.default_value.as_ref().and_then(read_default),
        function_output: wire.is_function_output,
    }
}

fn read_default(wire: &ValueField) -> Option<DefaultValue> {
    Some(match wire.data.as_ref()? {
        value_field::Data::BoolData(value) => DefaultValue::Bool(*value),
        value_field::Data::IntData(value) => DefaultValue::Int(*value),
        value_field::Data::LongData(value) => DefaultValue::Long(*value),
        value_field::Data::FloatData(value) => DefaultValue::Float(*value),
        value_field::Data::DoubleData(value) => DefaultValue::Double(*value),
        value_field::Data::StringData(value) => DefaultValue::Text(value.clone()),
        value_field::Data::BytesData(value) => DefaultValue::Bytes(value.clone()),
        value_field::Data::TimestamptzData(value) => DefaultValue::Timestamp(*value),
        value_field::Data::DateData(_) | value_field::Data::TimeData(_) => return None,
    })
}

fn read_function(wire: &FunctionSchema) -> Function {
    Function {
        name: wire.name.clone(),
        description: wire.description.clone(),
        kind: match wire.r#type {
            1 => FunctionKind::Bm25,
            2 => FunctionKind::TextEmbedding,
            4 => FunctionKind::MinHash,
            other => FunctionKind::Other(other),
        },
        inputs: wire.input_field_names.clone(),
        outputs: wire.output_field_names.clone(),
        params: pairs(&wire.params),
    }
}

fn consistency(level: i32) -> Option<Consistency> {
    Some(match ConsistencyLevel::try_from(level).ok()? {
        ConsistencyLevel::Strong => Consistency::Strong,
        ConsistencyLevel::Session => Consistency::Session,
        ConsistencyLevel::Bounded => Consistency::Bounded,
        ConsistencyLevel::Eventually => Consistency::Eventually,
        ConsistencyLevel::Customized => Consistency::Customized,
    })
}

/// The number of a consistency level in the protocol; servers make `Bounded` collections where nobody says anything.
pub fn consistency_number(level: Option<Consistency>) -> i32 {
    let level = match level {
        Some(Consistency::Strong) => ConsistencyLevel::Strong,
        Some(Consistency::Session) => ConsistencyLevel::Session,
        Some(Consistency::Bounded) | None => ConsistencyLevel::Bounded,
        Some(Consistency::Eventually) => ConsistencyLevel::Eventually,
        Some(Consistency::Customized) => ConsistencyLevel::Customized,
    };
    level.into()
}

/// The schema as a server wants it for making a collection. Ids of fields are left at zero: the server numbers them anew.
pub fn write(name: &str, schema: &CollectionSchema) -> WireSchema {
    WireSchema {
        name: name.to_owned(),
        description: schema.description.clone(),
        fields: schema.fields.iter().map(write_field).collect(),
        enable_dynamic_field: schema.dynamic_field,
        functions: schema.functions.iter().map(write_function).collect(),
        ..WireSchema::default()
    }
}

fn write_field(field: &Field) -> FieldSchema {
    FieldSchema {
        name: field.name.clone(),
        description: field.description.clone(),
        data_type: field.data_type.number(),
        element_type: field.element_type.map_or(0, DataType::number),
        type_params: key_values(field.params.iter().map(|(key, value)| (key.clone(), value.clone()))),
        is_primary_key: field.primary_key,
        auto_id: field.auto_id,
        is_partition_key: field.partition_key,
        is_clustering_key: field.clustering_key,
        nullable: field.nullable,
        default_value: field.default.as_ref().map(write_default),
        is_function_output: field.function_output,
        ..FieldSchema::default()
    }
}

fn write_default(default: &DefaultValue) -> ValueField {
    let data = match default {
        DefaultValue::Bool(value) => value_field::Data::BoolData(*value),
        DefaultValue::Int(value) => value_field::Data::IntData(*value),
        DefaultValue::Long(value) => value_field::Data::LongData(*value),
        DefaultValue::Float(value) => value_field::Data::FloatData(*value),
        DefaultValue::Double(value) => value_field::Data::DoubleData(*value),
        DefaultValue::Text(value) => value_field::Data::StringData(value.clone()),
        DefaultValue::Bytes(value) => value_field::Data::BytesData(value.clone()),
        DefaultValue::Timestamp(value) => value_field::Data::TimestamptzData(*value),
    };
    ValueField { data: Some(data) }
}

fn write_function(function: &Function) -> FunctionSchema {
    FunctionSchema {
        name: function.name.clone(),
        description: function.description.clone(),
        r#type: match function.kind {
            FunctionKind::Bm25 => FunctionType::Bm25.into(),
            FunctionKind::TextEmbedding => FunctionType::TextEmbedding.into(),
            FunctionKind::MinHash => FunctionType::MinHash.into(),
            FunctionKind::Other(number) => number,
        },
        input_field_names: function.inputs.clone(),
        output_field_names: function.outputs.clone(),
        params: key_values(function.params.clone()),
        ..schema::FunctionSchema::default()
    }
}

/// Key-value pairs of the protocol as a map.
pub fn pairs(pairs: &[KeyValuePair]) -> BTreeMap<String, String> {
    pairs.iter().map(|pair| (pair.key.clone(), pair.value.clone())).collect()
}

/// A map as key-value pairs of the protocol.
pub fn key_values(pairs: impl IntoIterator<Item = (String, String)>) -> Vec<KeyValuePair> {
    pairs.into_iter().map(|(key, value)| KeyValuePair { key, value }).collect()
}

/// The partitions that people made: those of a partition key (`_default_0` … on Milvus, `_pk_0` … on milvus-lite) are the
/// server's own business.
pub fn named_partitions(schema: &CollectionSchema, names: Vec<String>) -> Vec<String> {
    if schema.has_partition_key() {
        return Vec::new();
    }
    let mut names = names;
    if !names.iter().any(|name| name == DEFAULT_PARTITION) {
        names.push(DEFAULT_PARTITION.to_owned());
    }
    names.sort();
    names
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_schema_that_no_collection_has_is_named() {
        let key = |name: &str, data_type| Field { primary_key: true, ..Field::new(name, data_type) };
        let said = |fields: Vec<Field>| nonsense(&CollectionSchema { fields, ..read(&Default::default(), false).0 });
        let title = Field::new("title", DataType::VarChar);
        assert_eq!(said(vec![key("id", DataType::Int64), title.clone()]), None);
        assert!(said(vec![title.clone()]).is_some_and(|text| text.contains("no primary key")));
        assert!(said(vec![key("id", DataType::Json)]).is_some_and(|text| text.contains("`id` is JSON")));
        let two = vec![key("id", DataType::Int64), key("name", DataType::VarChar)];
        assert!(said(two).is_some_and(|text| text.contains("`id` and `name`")));
        let twice = vec![key("id", DataType::Int64), title.clone(), title];
        assert!(said(twice).is_some_and(|text| text.contains("named `title`")));
    }

    #[test]
    fn a_schema_survives_the_wire() {
        let mut key = Field { primary_key: true, auto_id: true, ..Field::new("id", DataType::Int64) };
        key.description = "the key".into();
        let mut title = Field::new("title", DataType::VarChar);
        title.params = BTreeMap::from([("max_length".into(), "64".into()), ("enable_analyzer".into(), "true".into())]);
        title.partition_key = true;
        let tags = Field { element_type: Some(DataType::Int16), nullable: true, ..Field::new("tags", DataType::Array) };
        let year = Field { default: Some(DefaultValue::Int(1999)), ..Field::new("year", DataType::Int32) };
        let sparse = Field { function_output: true, ..Field::new("sparse", DataType::SparseFloatVector) };
        let schema = CollectionSchema {
            description: "books".into(),
            fields: vec![key, title, tags, year, sparse],
            dynamic_field: true,
            functions: vec![Function {
                name: "bm25".into(),
                description: String::new(),
                kind: FunctionKind::Bm25,
                inputs: vec!["title".into()],
                outputs: vec!["sparse".into()],
                params: BTreeMap::new(),
            }],
            shards: 2,
            consistency: Some(Consistency::Session),
            properties: BTreeMap::from([("mmap.enabled".into(), "true".into())]),
            key_partitions: Some(16),
            struct_fields: Vec::new(),
        };
        let answer = DescribeCollectionResponse {
            schema: Some(write("books", &schema)),
            shards_num: 2,
            consistency_level: consistency_number(schema.consistency),
            num_partitions: 16,
            properties: key_values([
                ("mmap.enabled".to_owned(), "true".to_owned()),
                ("vecferry.run".to_owned(), "r1".to_owned()),
            ]),
            ..DescribeCollectionResponse::default()
        };
        let (read_back, mark) = read(&answer, false);
        assert_eq!(read_back, schema);
        assert_eq!(mark, BTreeMap::from([("vecferry.run".to_owned(), "r1".to_owned())]));
    }
}
