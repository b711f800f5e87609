//! "Did you mean": the nearest of the names that would have been right.

/// Names that people know from elsewhere, and what they are called here.
const SYNONYMS: [(&str, &str); 35] = [
    ("url", "uri"),
    ("address", "uri"),
    ("endpoint", "uri"),
    ("host", "uri"),
    ("user", "username"),
    ("api_key", "token"),
    ("apikey", "token"),
    ("db", "database"),
    ("db_name", "database"),
    ("filter", "where"),
    ("expr", "where"),
    ("pattern", "match"),
    ("include", "match"),
    ("num_shards", "shards"),
    ("shards_num", "shards"),
    ("index", "indexes"),
    ("collection", "source"),
    ("string", "varchar"),
    ("integer", "int64"),
    ("long", "int64"),
    ("vector", "float_vector"),
    ("data_type", "type"),
    ("datatype", "type"),
    ("dtype", "type"),
    ("is_partition_key", "partition_key"),
    ("is_clustering_key", "clustering_key"),
    ("source_field", "from"),
    ("rename", "from"),
    ("constant", "value"),
    ("primary_field", "primary_key"),
    ("pk", "primary_key"),
    ("input_field_names", "input_fields"),
    ("output_field_names", "output_fields"),
    ("inputs", "input_fields"),
    ("outputs", "output_fields"),
];

/// The name that was probably meant.
pub(crate) fn did_you_mean<'a>(found: &str, known: &'a [String]) -> Option<&'a str> {
    let lower = found.to_lowercase();
    let synonym = SYNONYMS
        .iter()
        .find(|(other, _)| *other == lower)
        .and_then(|(_, name)| known.iter().find(|known| known == name));
    if let Some(name) = synonym {
        return Some(name);
    }
    // A word spelled out where a short one is asked for, such as `environment` for `env`.
    let longer = known.iter().find(|name| name.len() >= 3 && lower.starts_with(name.as_str()));
    if let Some(name) = longer {
        return Some(name);
    }
    // Far longer text is no slip of a name, and the comparison takes its length squared.
    if found.len() > 64 {
        return None;
    }
    known
        .iter()
        .map(|name| (strsim::osa_distance(&lower, &name.to_lowercase()), name))
        .filter(|(distance, name)| *distance <= (name.chars().count().max(3) / 3).min(3))
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, name)| name.as_str())
}

/// Names in backticks as a phrase: `a`, `b` and `c`.
pub(crate) fn list<S: AsRef<str>>(names: &[S], last: &str) -> String {
    const MOST: usize = 24;
    let mut words: Vec<String> = names.iter().take(MOST).map(|name| format!("`{}`", name.as_ref())).collect();
    if names.len() > MOST {
        words.push(format!("{} more", names.len() - MOST));
    }
    match words.as_slice() {
        [] => "none".to_owned(),
        [one] => one.clone(),
        [init @ .., end] => format!("{} {last} {end}", init.join(", ")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slips_and_synonyms_are_found_and_strangers_are_not() {
        let known: Vec<String> = ["source", "target", "shards", "uri", "where"].map(str::to_owned).to_vec();
        assert_eq!(did_you_mean("sorce", &known), Some("source"));
        assert_eq!(did_you_mean("Shard", &known), Some("shards"));
        assert_eq!(did_you_mean("url", &known), Some("uri"));
        assert_eq!(did_you_mean("filter", &known), Some("where"));
        assert_eq!(did_you_mean("replicas", &known), None);
    }
}
