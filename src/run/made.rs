//! Whether a server made what it was asked for.

use crate::cluster::Identity;
use crate::collection::{CollectionSchema, DEFAULT_PARTITION, LiveCollection, LoadState};

/// A collection that was made by this run and that nothing was done with since: all that is to be known of it is in the answer
/// that says that it is the run's, so a server need not be asked for its indexes, partitions, aliases and load state as well.
pub(super) fn untouched(name: &str, made: Identity) -> LiveCollection {
    let Identity { id, mark, schema } = made;
    LiveCollection {
        id,
        name: name.to_owned(),
        schema,
        partitions: vec![DEFAULT_PARTITION.to_owned()],
        indexes: Vec::new(),
        load_state: LoadState::NotLoaded,
        unloaded_partitions: Vec::new(),
        aliases: Vec::new(),
        mark,
    }
}

/// What a server made otherwise than asked, if anything: servers accept schemas that they cannot hold, and say so only in
/// what they leave out of the description.
pub(super) fn made_otherwise(asked: &CollectionSchema, made: &CollectionSchema) -> Option<String> {
    for field in &asked.fields {
        let Some(found) = made.field(&field.name) else {
            return Some(format!("field `{}` is missing", field.name));
        };
        let same = found.data_type == field.data_type
            && found.element_type == field.element_type
            && found.dim() == field.dim()
            && (found.max_length() == field.max_length() || field.element_type.is_some())
            && found.nullable == field.nullable
            && found.primary_key == field.primary_key
            && found.auto_id == field.auto_id
            && found.partition_key == field.partition_key
            && found.default == field.default;
        if !same {
            return Some(format!(
                "field `{}` is {} and was asked to be {}",
                field.name,
                found.type_text(),
                field.type_text()
            ));
        }
    }
    if made.dynamic_field != asked.dynamic_field {
        return Some("the dynamic field differs".to_owned());
    }
    if made.shards != 0 && made.shards != asked.shards.max(1) {
        return Some(format!("it has {} shards and was asked for {}", made.shards, asked.shards));
    }
    (made.functions.len() != asked.functions.len()).then(|| "functions are missing".to_owned())
}
