//! What a place in a plan is about, in the words that output and state use: `kb.default.articles`.

use super::tree::{Node, Path, Step, steps};

/// The address of what a path leads to, as far as the file says enough.
pub(crate) fn address(root: &Node, at: &Path) -> Option<String> {
    match at.as_slice() {
        [Step::Key(kind), Step::Key(name), ..] if matches!(kind.as_str(), "sources" | "targets" | "profiles") => {
            Some(format!("{kind}.{name}"))
        }
        [Step::Key(kind), Step::Index(index), rest @ ..] if kind == "migrations" => {
            let migration = root.find(&steps!["migrations", *index])?;
            let from = migration.text(&steps!["from"]);
            let name = match migration.text(&steps!["name"]) {
                Some(name) => name.to_owned(),
                None => format!("{}-to-{}", from?, migration.text(&steps!["to"])?),
            };
            let [Step::Key(kind), Step::Index(entry), ..] = rest else {
                return Some(name);
            };
            if kind != "collections" {
                return Some(name);
            }
            let entry = migration.find(&steps!["collections", *entry])?;
            let collection = entry
                .text(&steps!["source"])
                .or_else(|| entry.text(&steps!["match"]))
                .filter(|name| !name.trim().is_empty());
            let Some(collection) = collection else {
                return Some(name);
            };
            let database = migration
                .text(&steps!["database"])
                .or_else(|| migration.text(&steps!["database", "from"]))
                .or_else(|| root.text(&steps!["sources", from?, "milvus", "database"]))
                .or_else(|| root.text(&steps!["sources", from?, "zilliz_cloud", "database"]))
                .unwrap_or("default");
            Some(format!("{name}.{database}.{collection}"))
        }
        _ => None,
    }
}
