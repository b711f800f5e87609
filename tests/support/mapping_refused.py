"""Entries that are refused before anything is made, and what is said about them."""

from mapping_case import Case, Way


def cases(way: Way) -> list[Case]:
    found = [
        Case("r_index_type", "rich", "indexes: {vector: {index_type: BIN_FLAT}}", says=("BIN_FLAT cannot index FLOAT_VECTOR",)),
        Case("r_index_unknown", "rich", "indexes: {vector: {index_type: HNWS}}", says=("HNWS", "HNSW")),
        Case("r_index_scalar", "rich", "indexes: {text: {index_type: STL_SORT}}", says=("STL_SORT cannot index VARCHAR",)),
        Case("r_index_on_text", "rich", "indexes: {text: {index_type: HNSW}}", says=("HNSW cannot index VARCHAR",)),
        Case("r_metric", "rich", "indexes: {vector: {index_type: HNSW, metric_type: HAMMING}}", says=("HAMMING does not fit FLOAT_VECTOR",)),
        Case("r_metric_scalar", "rich", "indexes: {i64: {index_type: INVERTED, metric_type: L2}}" if way.to_lite else "indexes: {i64: {index_type: STL_SORT, metric_type: L2}}", says=("L2 does not fit INT64",)),
        Case("r_index_field", "rich", "indexes: {vectro: auto}", says=("vectro", "`vector`")),
        Case("r_nlist", "rich", "indexes: {vector: {index_type: IVF_FLAT}}", says=("nlist",)),
        Case("r_unknown", "rich", "fields: {headline: {from: txet}}", says=("txet", "`text`")),
        Case("r_no_type", "rich", "fields: {lang: {from: $meta.lang}}", says=("type",)),
        Case("r_impossible", "rich", "fields: {vector: {type: int64}}", says=("FLOAT_VECTOR", "cannot become INT64")),
        Case("r_json", "rich", "fields: {i64: {type: json}}", says=("cannot become JSON",)),
        Case("r_partition_key", "rich", "fields: {f64: {partition_key: true}}", says=("DOUBLE cannot be a partition key",)),
        Case("r_key", "rich", "primary_key: f64", says=("DOUBLE cannot be a primary key",)),
        Case("r_no_key", "rich", "drop: [id]", says=("the primary key cannot be dropped",)),
        Case("r_partition", "parted", "partitions: {only: [nord]}", says=("nord", "north")),
        Case("r_partition_of_key", "keyed", "fields: {origin: {from: $partition}}", says=("partition key",)),
        Case("r_num_partitions", "rich", "num_partitions: 8", says=("`num_partitions` without a partition key",)),
        Case("r_no_vector", "rich", "drop: [vector]", says=("no vector field is left",)),
        Case("r_drop", "rich", "drop: [txet]", says=("txet", "`text`")),
        Case("r_default", "rich", "fields: {i8: {default: 300}}", says=("300 is outside INT8",)),
        Case("r_function", "rich", "functions: {search: none}", says=("the source has no function `search` to drop",)),
        Case("r_sink", "words", "fields: {$meta.x: {from: lang}}", says=("dynamic field",)),
        # Some of the values, which are sought by their hashes, and the rows that have them.
        Case("r_doubled", "rich", "primary_key: again", says=("150 rows have a value that another row has too", "140 in the rows 740, 743")),
        Case("r_doubled_alone", "rich", "primary_key: tenant\ndrop: [id]", says=("295 rows", "O'Hara", "-91, -76, -61 and 57 more", '"acme" in the rows -100, -85, -70 and 57 more')),
        Case("r_clash", "rich", "fields: {text: {from: label}}", says=("lost without a word",)),
    ]
    if way.to_lite:
        found += [
            Case("r_half", "rich", "fields: {vector: {type: float16_vector}}", says=("cannot hold FLOAT16_VECTOR",)),
            Case("r_shards", "rich", "shards: 4", says=("4 shards",)),
            Case("r_lite_index", "rich", "indexes: {text: {index_type: Trie}}", says=("Trie",)),
        ]
        if way.from_lite:
            found += [
                Case("r_keep", "nulls", "fields: {n_i64: {on_null: keep, default: 7}}", says=("`on_null: keep`", "stores the default value for a null")),
                Case("r_function_input", "nulls", "drop: [body]", says=("function `search` needs this field",)),
                Case("r_bm25", "nulls", "functions: {more: {type: bm25, input_fields: [n_text], output_fields: [words]}}", says=("enable_analyzer",)),
                Case("r_bm25_type", "nulls", "fields: {bm25: {type: float_vector}}", says=("computes this field",)),
            ]
    else:
        found += [
            Case("r_auto_sent", "rich", "primary_key: {auto_id: true, allow_insert_auto_id: true}", says=("allow_insert_auto_id",)),
            Case("r_nullable", "rich", "fields: {text: {nullable: true}}", says=("would turn its nulls into zeros",)),
            Case("r_bm25", "rich", "fields: {text: {enable_analyzer: true}}\nfunctions: {find: {type: bm25, input_fields: [text], output_fields: [words]}}", says=("function `find`",)),
            Case("r_inverted", "rich", "indexes: {text: {index_type: INVERTED}}", says=("has no index INVERTED", "Trie")),
            Case("r_bfloat16", "rich", "fields: {vector: {type: bfloat16_vector}}", says=("cannot hold BFLOAT16_VECTOR",)),
        ]
        if way.from_lite:
            found.append(Case("r_nulls", "nulls", "", says=("n_i64", "nulls into zeros", "weights", "function `search`", "vector fields")))
    return found
