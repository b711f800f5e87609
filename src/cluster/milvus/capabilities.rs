//! What each version of each server can hold. Gated by version before anything is made, because servers accept schemas that
//! they cannot hold: Milvus 2.3.5 drops `nullable` without a word, and some of its inserts kill it for good.

use std::collections::BTreeSet;
use std::fmt;

use crate::collection::{Capabilities, DataType, LengthUnit};

/// A server and its version, as its `GetVersion` answers: `v2.3.5-lite` is the real server of the PyPI package `milvus`,
/// `milvus_lite-3.2.2` is milvus-lite.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Version {
    /// Whether it is milvus-lite.
    pub lite: bool,
    /// Major, minor and patch.
    pub number: (u32, u32, u32),
}

impl Version {
    /// Reads a version. Text without a number counts as the oldest version that is supported, which holds least.
    pub fn parse(text: &str) -> Self {
        let lite = text.starts_with("milvus_lite") || text.starts_with("milvus-lite");
        let digits = text.find(|character: char| character.is_ascii_digit()).map_or("", |start| &text[start..]);
        let mut numbers =
            digits.split(|character: char| !character.is_ascii_digit()).map(|part| part.parse().unwrap_or(0));
        let mut next = || numbers.next().unwrap_or(0);
        let number = (next(), next(), next());
        Self { lite, number: if number == (0, 0, 0) { (2, 3, 0) } else { number } }
    }

    /// Whether it is Milvus itself and at least of this version.
    pub fn milvus_since(self, major: u32, minor: u32, patch: u32) -> bool {
        !self.lite && self.number >= (major, minor, patch)
    }
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (major, minor, patch) = self.number;
        write!(f, "{} {major}.{minor}.{patch}", if self.lite { "milvus-lite" } else { "Milvus" })
    }
}

/// What a server of this version can hold. 2.3.5 and milvus-lite 3.2.2 were tried type by type; the versions between which a
/// type came are those of Milvus' release notes.
pub fn of(version: Version) -> Capabilities {
    use DataType::{
        Array, BFloat16Vector, BinaryVector, Bool, Double, Float, Float16Vector, FloatVector, Geometry, Int8,
        Int8Vector, Int16, Int32, Int64, Json, SparseFloatVector, Text, Timestamptz, VarChar,
    };
    let mut types = BTreeSet::from([Bool, Int8, Int16, Int32, Int64, Float, Double, VarChar, Json, Array, FloatVector]);
    if version.lite {
        types.extend([SparseFloatVector, Geometry, Timestamptz]);
        return Capabilities {
            server: version.to_string(),
            types,
            nullable: true,
            nullable_vectors: true,
            defaults: true,
            omitted_defaults: true,
            functions: true,
            clustering_key: false,
            max_vector_fields: usize::MAX,
            max_shards: 1,
            length_unit: LengthUnit::Characters,
            max_text_length: usize::MAX,
            strict_names: false,
            keeps_settings: false,
            load_needs_index: false,
            no_auto_index: BTreeSet::from([SparseFloatVector]),
            array_text_needs_length: false,
            json_scalars: false,
            null_takes_default: true,
            insert_auto_id: true,
            json_defaults: false,
            dynamic_overwrites: true,
            float16_search: true,
            index_types: Some(BTreeSet::from([
                "AUTOINDEX",
                "FLAT",
                "IVF_FLAT",
                "IVF_SQ8",
                "HNSW",
                "HNSW_SQ",
                "SPARSE_INVERTED_INDEX",
                "INVERTED",
            ])),
        };
    }
    types.insert(BinaryVector);
    // 2.3.5 stores float16 vectors well before the notes of 2.4 announce them, under a FLAT index.
    if version.milvus_since(2, 3, 5) {
        types.insert(Float16Vector);
    }
    if version.milvus_since(2, 4, 0) {
        types.extend([BFloat16Vector, SparseFloatVector]);
    }
    if version.milvus_since(2, 6, 0) {
        types.insert(Int8Vector);
    }
    if version.milvus_since(2, 6, 6) {
        types.extend([Geometry, Timestamptz]);
    }
    if version.milvus_since(3, 0, 0) {
        types.insert(Text);
    }
    Capabilities {
        server: version.to_string(),
        types,
        nullable: version.milvus_since(2, 5, 0),
        nullable_vectors: version.milvus_since(2, 6, 18),
        defaults: true,
        omitted_defaults: version.milvus_since(2, 5, 0),
        functions: version.milvus_since(2, 5, 0),
        clustering_key: version.milvus_since(2, 4, 7),
        max_vector_fields: if version.milvus_since(2, 4, 0) { 4 } else { 1 },
        max_shards: 16,
        length_unit: LengthUnit::Bytes,
        max_text_length: 65_535,
        strict_names: true,
        keeps_settings: true,
        load_needs_index: true,
        // 2.3.5 accepts it and then waits for ever for an index that no node builds.
        no_auto_index: if version.milvus_since(2, 4, 0) { BTreeSet::new() } else { BTreeSet::from([Float16Vector]) },
        array_text_needs_length: true,
        json_scalars: version.milvus_since(2, 4, 0),
        null_takes_default: true,
        insert_auto_id: version.milvus_since(2, 6, 3),
        json_defaults: version.milvus_since(2, 5, 0),
        dynamic_overwrites: false,
        // 2.3.5 stores them bit for bit, and its searches return other rows at distances such as 1e36.
        float16_search: version.milvus_since(2, 4, 0),
        index_types: (!version.milvus_since(2, 4, 0)).then(|| {
            BTreeSet::from([
                "AUTOINDEX",
                "FLAT",
                "IVF_FLAT",
                "IVF_SQ8",
                "IVF_PQ",
                "HNSW",
                "SCANN",
                "DISKANN",
                "BIN_FLAT",
                "BIN_IVF_FLAT",
                "STL_SORT",
                "Trie",
                "marisa-trie",
            ])
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_read_as_servers_write_them() {
        let read = |text| Version::parse(text).to_string();
        assert_eq!(read("v2.3.5-lite"), "Milvus 2.3.5");
        assert_eq!(read("milvus_lite-3.2.2"), "milvus-lite 3.2.2");
        assert_eq!(read("2.6.18-dev-3f"), "Milvus 2.6.18");
        assert_eq!(read("Zilliz Cloud Vector Database(Compatible with Milvus 2.5)"), "Milvus 2.5.0");
        assert_eq!(read("unknown"), "Milvus 2.3.0");
    }

    #[test]
    fn what_would_be_dropped_or_kill_a_server_is_gated() {
        let old = of(Version::parse("v2.3.5-lite"));
        assert!(!old.nullable && !old.omitted_defaults && !old.types.contains(&DataType::Timestamptz));
        assert!(of(Version::parse("2.6.6")).types.contains(&DataType::Timestamptz));
    }
}
