//! The target's schema: the source's, with what the plan changes, and with what the target cannot hold named.

use super::columns::Columns;
use super::fields::{self, Subject};
use super::{Mapping, Remark, Remarks, build, fit, functions, indexes, key, partitions, suggestion};
use crate::collection::{Capabilities, CollectionSchema, DEFAULT_PARTITION, DataType, Field, LiveCollection};
use crate::plan::resolved::{Partitions, Settings, Shards};

/// Rows that one shard is good for, by the guide of the managed service.
const ROWS_PER_SHARD: u64 = 100_000_000;
/// Rows from which the managed service asks for a conversation first.
const MANY_ROWS: u64 = 1_000_000_000;
/// Property that drops rows some time after they were written.
const TTL: &str = "collection.ttl.seconds";
/// Property of collections whose rows may bring the keys that the server would make.
const INSERT_AUTO_ID: &str = "allow_insert_auto_id";

/// Compiles `settings` for one collection. How many rows there are is told to [`settle_shards`], once they are counted.
pub fn compile(
    source: &LiveCollection,
    settings: &Settings,
    target_name: &str,
    from: &Capabilities,
    to: &Capabilities,
) -> Mapping {
    let mut found = Remarks::default();
    let subject = Subject { source: &source.schema, settings, from, to };
    let mut schema = source.schema.clone();
    check_drop(&subject, &mut found);
    let mut plan = fields::plan(&subject, &mut found);
    schema.functions = functions::functions(&subject, &mut plan, &mut found);
    schema.dynamic_field = settings.dynamic_field.unwrap_or(source.schema.dynamic_field);
    for planned in &mut plan.fields {
        fit::fit_field(&mut planned.field, from, to, &mut found);
    }
    let known = key::known(&subject, &plan, &mut found);
    let mut built = build::build(&subject, &plan, schema.dynamic_field, &mut found);
    schema.fields = plan.fields.iter().map(|planned| planned.field.clone()).collect();
    for (number, field) in schema.fields.iter().enumerate() {
        if schema.fields[..number].iter().any(|other| other.name == field.name) {
            found.block(Some(&field.name), "the target would have two fields of this name", "give one another name");
        }
    }
    for field in &mut built.write {
        field.primary_key = known.identity.as_ref().is_some_and(|identity| identity.name == field.name);
    }
    whole(&mut schema, &subject, &mut found);
    fit::about_many(&mut found, to);
    fit::fit_whole(&mut schema, target_name, to, &mut found);
    let mut late_properties = Vec::new();
    if let Some(ttl) = schema.properties.remove(TTL) {
        found.notes.push(Remark::new(None, format!("{TTL} {ttl} is set after the copy, and counts from then on")));
        late_properties.push((TTL.to_owned(), ttl));
    }
    let (mut routes, partitions) = partitions::routes(&subject, source, schema.has_partition_key(), &mut found);
    let indexes = indexes::indexes(&subject, source, &schema, &plan.carriers, &mut found);
    aliases(source, &subject, target_name, &mut found);
    let chosen = matches!(settings.partitions, Partitions::Some { only: Some(_), .. });
    let columns = Columns {
        read: built.read,
        write: built.write,
        key: schema.primary_key().cloned().unwrap_or_else(|| Field::new("", DataType::Int64)),
        identity: known.identity,
        rewrite: known.rewrite,
        drops_dynamic: source.schema.dynamic_field && !schema.dynamic_field,
        source_key: source.schema.primary_key().cloned().unwrap_or_else(Field::dynamic),
        operations: built.operations,
        objects: built.objects,
        unit: to.length_unit,
        json_scalars: to.json_scalars,
    };
    if columns.needs_partition() && source.partitions.iter().any(|name| name != DEFAULT_PARTITION) {
        // Read one by one, so that the name of each is known.
        routes
            .iter_mut()
            .filter(|route| route.from.is_empty())
            .for_each(|route| route.from.clone_from(&source.partitions));
    }
    let searched = functions::searched(&schema.functions);
    let aliases = settings.aliases.clone();
    let Remarks { blocked, notes, warnings, .. } = found;
    Mapping {
        schema,
        routes,
        chosen,
        partitions,
        indexes,
        late_properties,
        aliases,
        columns,
        origins: built.origins,
        carriers: plan.carriers,
        searched,
        blocked,
        notes,
        warnings,
    }
}

/// Names under `drop` that the source does not have.
fn check_drop(subject: &Subject<'_>, found: &mut Remarks) {
    for name in &subject.settings.drop {
        if subject.source.field(name).is_none() {
            let help = suggestion(name, subject.source.fields.iter().map(|field| field.name.as_str()));
            found.block(Some(name), "`drop` names a field that the source does not have", help);
        }
    }
}

/// What the plan says about the collection as a whole.
fn whole(schema: &mut CollectionSchema, subject: &Subject<'_>, found: &mut Remarks) {
    let settings = subject.settings;
    if let Some(description) = &settings.description {
        schema.description.clone_from(description);
    }
    if settings.consistency.is_some() {
        schema.consistency = settings.consistency;
    }
    for (name, value) in &settings.properties {
        match value {
            Some(value) => {
                schema.properties.insert(name.clone(), value.clone());
            }
            None => {
                schema.properties.remove(name);
            }
        }
    }
    if settings.primary_key.allow_insert_auto_id {
        schema.properties.insert(INSERT_AUTO_ID.to_owned(), "true".to_owned());
    }
    if !schema.has_partition_key() {
        schema.key_partitions = None;
        if settings.num_partitions.is_some() {
            found.block(None, "`num_partitions` without a partition key", "say `partition_key: true` for a field");
        }
    } else if settings.num_partitions.is_some() {
        schema.key_partitions = settings.num_partitions;
    }
}

/// Other names of both sides.
fn aliases(source: &LiveCollection, subject: &Subject<'_>, target_name: &str, found: &mut Remarks) {
    let wanted = &subject.settings.aliases;
    let left: Vec<&str> = source.aliases.iter().filter(|alias| !wanted.contains(alias)).map(String::as_str).collect();
    if !left.is_empty() {
        found.notes.push(
            Remark::new(None, format!("the source is also known as {}, which is not carried", left.join(", ")))
                .help("list names under `aliases` to point them to the target"),
        );
    }
    if !wanted.is_empty() && !subject.settings.load {
        found.warnings.push(
            Remark::new(None, "the aliases will point to a collection that is not loaded: searches through them fail")
                .help("say `load: true`"),
        );
    }
    if wanted.iter().any(|alias| alias == target_name) {
        found.block(None, format!("`{target_name}` cannot be its own alias"), "choose another alias");
    }
}

/// Settles the number of shards, and what there is to say about so many rows.
pub fn settle_shards(mapping: &mut Mapping, source: &LiveCollection, wanted: Shards, to: &Capabilities, rows: u64) {
    let mut found = Remarks::default();
    mapping.schema.shards = shards(source.schema.shards, wanted, to, rows, &mut found);
    mapping.blocked.append(&mut found.blocked);
    mapping.notes.append(&mut found.notes);
    mapping.warnings.append(&mut found.warnings);
}

fn shards(source: u32, wanted: Shards, to: &Capabilities, rows: u64, found: &mut Remarks) -> u32 {
    let advised = u32::try_from(rows.div_ceil(ROWS_PER_SHARD)).unwrap_or(u32::MAX).clamp(1, to.max_shards);
    if rows > MANY_ROWS {
        found.warnings.push(Remark::new(
            None,
            format!("{rows} rows: above a billion, the managed service asks to be talked to before a migration"),
        ));
    }
    let source_shards = source.max(1);
    match wanted {
        Shards::Auto => advised,
        Shards::Count(count) => {
            if count > to.max_shards {
                found.blocked.push(
                    Remark::new(None, format!("{count} shards: {} holds at most {}", to.server, to.max_shards))
                        .help(format!("set `shards` to {} or less, or to auto", to.max_shards)),
                );
            }
            count
        }
        Shards::AsSource => {
            let count = source_shards.min(to.max_shards);
            if count < source_shards {
                found.notes.push(Remark::new(
                    None,
                    format!("{count} shards instead of {source_shards}: {} holds no more", to.server),
                ));
            }
            if advised > count {
                found.warnings.push(
                    Remark::new(None, format!("{count} shards for {rows} rows: about one for 100 million is advised"))
                        .help(format!("set `shards: {advised}` or `shards: auto`")),
                );
            }
            count
        }
    }
}
