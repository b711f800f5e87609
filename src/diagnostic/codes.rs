//! Every code that a message can carry, in one table. Codes are stable: one that is retired is never used again.

use serde::{Deserialize, Serialize};

use super::Severity::{self, Error, Warning};

/// What there is to say about a code.
#[derive(Debug, Clone, Copy)]
pub struct CodeInfo {
    /// Such as `VF0101`.
    pub id: &'static str,
    /// How bad it is unless a message says otherwise.
    pub severity: Severity,
    /// A few words.
    pub title: &'static str,
    /// One paragraph: what it means, why it matters and what to do.
    pub explanation: &'static str,
}

impl CodeInfo {
    /// Where the code is explained: the whole address where this build knows one of the repository, and else a reference
    /// that starts at its root.
    pub fn page(&self) -> String {
        let page = format!("docs/codes.md#{}", self.id.to_ascii_lowercase());
        match env!("CARGO_PKG_REPOSITORY") {
            "" => page,
            repository => format!("{repository}/blob/v{}/{page}", env!("CARGO_PKG_VERSION")),
        }
    }
}

macro_rules! codes {
    ($($name:ident = $id:literal, $severity:ident, $title:literal, $explanation:literal;)*) => {
        /// The reason for a message. Families: `VF01xx` reading files, `VF02xx` the shape of a plan, `VF03xx` rules
        /// that the schema can't say, `VF04xx` `vecferry.toml` and profiles, `VF05xx` saved plans; `VF1xxx` and above belong to the
        /// commands that talk to clusters.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
        #[serde(into = "String", try_from = "String")]
        pub enum Code {
            $(#[doc = $title] $name,)*
        }

        impl Code {
            /// All codes, in the order of the table.
            pub const ALL: &'static [Self] = &[$(Self::$name),*];

            /// Everything that is known about the code.
            pub const fn info(self) -> CodeInfo {
                match self {
                    $(Self::$name => CodeInfo {
                        id: $id,
                        severity: $severity,
                        title: $title,
                        explanation: $explanation,
                    },)*
                }
            }
        }
    };
}

impl From<Code> for String {
    fn from(code: Code) -> Self {
        code.info().id.to_owned()
    }
}

impl TryFrom<String> for Code {
    type Error = String;

    fn try_from(id: String) -> Result<Self, String> {
        Self::ALL.iter().copied().find(|code| code.info().id == id).ok_or_else(|| format!("there is no code `{id}`"))
    }
}

impl schemars::JsonSchema for Code {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Code".into()
    }

    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        let id = "^VF[0-9]{4}$";
        schemars::json_schema!({
            "type": "string", "pattern": id, "description": "The code of a message; `vecferry explain CODE` tells all about it."
        })
    }
}

codes! {
    YamlSyntax = "VF0101", Error, "the file is not valid YAML",
        "The file could not be read as YAML 1.2, so nothing else about it was checked. The place shown is where the reader gave up; the mistake is often a little before it: a missing colon, a quote that is not closed, or a line indented with tabs.";
    DuplicateKey = "VF0102", Error, "a key is given twice",
        "The same key appears twice in one mapping. Which of the two would win differs from reader to reader, so vecferry takes neither. Remove one of them.";
    SeveralDocuments = "VF0103", Error, "several YAML documents in one file",
        "A plan file holds one YAML document. What follows a second `---` would be overlooked by many tools. Put each plan in a file of its own; one plan may hold several migrations.";
    EmptyFile = "VF0104", Error, "the file holds no plan",
        "The file is empty or holds only comments. A plan needs at least `version`, `sources`, `targets` and `migrations`.";
    NotUtf8 = "VF0105", Error, "the file is not UTF-8",
        "Plan files are UTF-8 text. The file holds bytes that are not: it may be saved in another encoding (UTF-16, Latin-1, GBK) or be no text at all.";
    FileTooLarge = "VF0106", Error, "the file is too large",
        "A plan file may have up to 8 MiB. Plans are written and reviewed by people; a larger file is almost always the wrong one, such as a data export.";
    TooComplex = "VF0107", Error, "the file is nested or multiplied too much",
        "The file nests deeper, or multiplies itself through anchors and aliases more, than any plan needs. vecferry stops reading such a file early, so that a crafted one can't use up the machine.";
    FileUnreadable = "VF0108", Error, "the file can't be read",
        "The file does not exist, is no regular file, or may not be read by this user. The operating system's own reason is part of the message.";
    NoPlanFiles = "VF0109", Error, "no plan file in the folder",
        "A folder stands for all `*.yaml` and `*.yml` files in it and in the folders below. This one holds none. Hidden files and the folder with vecferry's state are not looked at.";
    ControlCharacter = "VF0110", Error, "a character that YAML does not allow",
        "The file holds a control character, such as NUL. YAML does not allow those in plain text, and they would be invisible in a review. It is often a sign of a damaged file or of the wrong encoding.";
    TooManyProblems = "VF0111", Error, "more problems than are shown",
        "The file has so many problems that only the first are shown. Mend those and validate again.";

    UnknownKey = "VF0201", Error, "an unknown key",
        "The key is not part of the plan format at this place. Unknown keys are errors, because a misspelled key that is silently ignored would mean a migration that does something else than was reviewed.";
    MissingKey = "VF0202", Error, "a required key is missing",
        "The mapping lacks a key that has no default.";
    WrongType = "VF0203", Error, "a value of the wrong type",
        "The value has another type than the plan format asks for, such as a number where a text is expected. Plain words such as `true` and `12` are not texts in YAML; put quotes around them where a text is meant. A key without any value is null.";
    ValueNotAllowed = "VF0204", Error, "a value that is not among the choices",
        "The key takes one of a few words, and this is none of them.";
    OutOfRange = "VF0205", Error, "a value outside its range",
        "The number, text or list is smaller, larger, shorter or longer than the plan format allows.";
    BadFormat = "VF0206", Error, "a value in the wrong form",
        "The text does not have the form that is asked for, such as a duration without a unit.";
    ExactlyOneOf = "VF0207", Error, "exactly one of several keys",
        "The mapping must have exactly one of the keys named: none of them leaves open what is meant, and several contradict each other.";
    BadKeyName = "VF0208", Error, "a key in the wrong form",
        "Sources, targets and profiles are named with letters, digits, `_` and `-`, so that the names can be used in addresses and on the command line.";
    UnsupportedVersion = "VF0209", Error, "an unknown version of the plan format",
        "`version` says which plan format the file is written in. This vecferry knows version 1.";
    ShapeMismatch = "VF0299", Error, "the value can't be understood",
        "The value fits the JSON Schema of the plan format but could not be turned into a plan. That is a gap in vecferry's schema; please report it.";

    UnknownEndpoint = "VF0301", Error, "a source or target that is not declared",
        "`from` names a key under `sources`, and `to` one under `targets`. This name is not among them.";
    UnusedEndpoint = "VF0302", Warning, "a source or target that is not used",
        "No migration of this plan reads from this source or writes to this target. It may be a leftover, or a migration may name another one by mistake.";
    DuplicateMigrationName = "VF0303", Error, "two migrations of the same name",
        "A migration's name is part of its address in output and in the state, so it must be unique in a plan. Without `name` it is `<from>-to-<to>`.";
    TargetTwice = "VF0304", Error, "a target collection named twice",
        "Two entries write to the same collection of the same cluster and database. Their rows would mix, and neither could be verified. Give one of them another `target`, or leave the name out of the pattern with `exclude`.";
    SelfTarget = "VF0305", Error, "a source that is its own target",
        "The entry reads and writes the same collection of the same cluster and database. Give it another `target` name, database or cluster. For this check `localhost`, `127.0.0.1` and `::1` count as one machine.";
    BadGlob = "VF0306", Error, "a pattern that can't be read",
        "`match` and `exclude` take glob patterns: `*` for any characters, `?` for one, `[a-z]` for a set and `{a,b}` for alternatives. This one is not well formed.";
    TargetWithMatch = "VF0307", Error, "one target name for a pattern",
        "`match` may select many collections, and one `target` name can't hold them all. Collections that a pattern selects keep their names; use `source` to rename one.";
    BadCollectionName = "VF0308", Error, "not a collection name that Milvus accepts",
        "A collection's name on the target has 1 to 255 letters, digits and underscores and does not start with a digit. A server would refuse to create any other.";
    OddCollectionName = "VF0309", Warning, "an unusual collection name on the source",
        "Milvus itself accepts only letters, digits and underscores, not starting with a digit. Some servers allow more, so this is only a warning: check the spelling.";
    BadUri = "VF0310", Error, "not an address of a cluster",
        "`uri` is `http://host:port` or `https://host:port`, without a path or a query. The port may be left out: 19530 for http, 443 for https.";
    CredentialsInUri = "VF0311", Error, "credentials in an address",
        "The address holds a user name or password before an `@`. Addresses are printed, logged and kept in the state, so credentials have no place there. Use `token`, or `username` and `password`, with a reference to the secret.";
    LiteralSecret = "VF0312", Error, "a secret in the plan itself",
        "Plans are kept in Git and read by many. A secret is given by reference instead: `{env: NAME}`, `{file: PATH}` or `{command: [program, argument]}`. Literal secrets are accepted for servers on this machine only (localhost, 127.0.0.0/8, ::1). If this one was ever committed, change it on the server too.";
    SecretInClear = "VF0313", Warning, "a secret over an unencrypted connection",
        "The address starts with `http://`, so the token or password would cross the network readable by anybody on the way. Use `https://` where the server has TLS.";
    TokenAndPassword = "VF0314", Error, "two ways to log in",
        "A connection logs in either with `token` or with `username` and `password`. With both, it is open which is meant.";
    IncompleteLogin = "VF0315", Error, "half a login",
        "`username` and `password` belong together.";
    IncompleteClientCertificate = "VF0316", Error, "half a client certificate",
        "`client_cert` and `client_key` belong together: the certificate and its private key, both as PEM files.";
    TlsWithoutHttps = "VF0317", Error, "TLS settings without TLS",
        "The address starts with `http://`, so no TLS is spoken and the `tls` settings would have no effect, although they look as if the connection was protected. Write `https://`, or remove `tls`.";
    BadDuration = "VF0318", Error, "a duration outside its range",
        "Timeouts are between 1 millisecond and 24 hours, written as a number and a unit: `500ms`, `10s`, `2m`, `1h`.";
    DroppedTwice = "VF0319", Warning, "a field dropped twice",
        "The field is named twice under `drop`. Nothing breaks, but another field may have been meant.";
    DropsSystemField = "VF0320", Error, "a system field can't be dropped",
        "`$meta` is where Milvus keeps the dynamic fields, and no field of the schema. To leave all dynamic fields behind, set `dynamic_field: false`.";
    EmptyFilter = "VF0321", Error, "an empty filter",
        "`where` is empty. Leave the key out to copy every row; an empty filter is more likely one that was lost.";
    MatchWithoutWildcard = "VF0322", Warning, "a pattern without a wildcard",
        "`match` has no `*`, `?`, `[..]` or `{..}`, so it selects at most one collection, and none at all where that does not exist. `source` says the same and reports a collection that is missing.";
    LoadWithoutIndex = "VF0323", Error, "loading without an index",
        "Milvus loads a collection only when its vector fields have indexes. With `indexes: none` there are none, so `load: true` would fail after all rows were copied.";
    MatchTwice = "VF0324", Error, "the same pattern twice",
        "Two entries select the same collections from the same source into the same target. Each of those would be named twice as a target.";
    PlanNameTwice = "VF0325", Warning, "two plans of the same name",
        "Two of the given plan files have the same name, so their runs are hard to tell apart. Without `name`, a plan is named after its file.";
    LooksLikeVariable = "VF0326", Warning, "text that looks like a variable",
        "vecferry never replaces `$NAME` or `${NAME}` in a plan, so the secret would be these very characters. Write `{env: NAME}` to read an environment variable.";
    BadDatabaseName = "VF0327", Error, "not a database name that Milvus accepts",
        "A database's name has 1 to 255 letters, digits and underscores and does not start with a digit.";
    NothingSelected = "VF0328", Warning, "a pattern that excludes itself",
        "One of the `exclude` patterns leaves out everything that `match` selects, so the entry does nothing.";
    ExcludeWithoutMatch = "VF0329", Error, "exclude without match",
        "`exclude` leaves names out of a pattern. With `source`, which names one collection, there is nothing to leave out.";
    EmptyName = "VF0330", Error, "an empty or blank name",
        "A name that is empty or holds only blanks can't be shown or typed.";
    BadFieldName = "VF0331", Error, "not a field name that Milvus accepts",
        "A new field's name has 1 to 255 letters, digits and underscores and does not start with a digit. Names that start with `$` belong to Milvus; `$meta.KEY` under `fields` is a key of the dynamic field.";
    RoleTwice = "VF0332", Error, "two fields for one role",
        "A collection has one partition key and one clustering key at most. A field of the source that has the role gives it up where the plan gives it to another.";
    BadPartitionKey = "VF0333", Error, "not a field that can be the partition key",
        "A partition key decides in which partition a row lies. It is int64 or varchar, is not the primary key, and never holds a null.";
    BadDefault = "VF0334", Error, "a default value that does not fit",
        "The default has another type than the field, lies outside its range or is longer than `max_length` in bytes, or the type has no defaults in Milvus, as arrays and vectors.";
    FromAndValue = "VF0335", Error, "a field filled twice",
        "`from` carries what the source has, and `value` writes the same into every row. A field takes one of them.";
    ValueWithoutType = "VF0336", Error, "a constant without a type",
        "A field that is filled with a constant has no counterpart on the source that its type could come from, and a number alone could be of seven types. Say which with `type`.";
    BadConstant = "VF0337", Error, "a constant that does not fit its field",
        "The `value` has another type than the field, lies outside its range, is longer than `max_length` in bytes or `max_capacity` in elements, or the field is a vector, which no constant fills.";
    BadPath = "VF0338", Error, "a path that can't be read",
        "`from` names a field of the source, a place within JSON, or `$partition`. A place is written as Milvus writes it in expressions: `$meta.a.b`, `extra.a`, or `$meta[\"a.b\"]` for keys that hold dots or other marks.";
    KeepWithoutPath = "VF0339", Error, "keep without a place within JSON",
        "`keep` says whether a key stays in the JSON after its value went into a field of its own. It means nothing where the values come from a whole field, a partition's name or a constant.";
    KeyTwice = "VF0340", Error, "one name for a field and a dynamic key",
        "A row would have a field and a key of the dynamic field of the same name, or the same key twice. Milvus refuses the former, and of the latter one value would be lost.";
    PathTwice = "VF0341", Error, "one place within JSON taken twice",
        "Without `keep: true`, a key is taken out of the JSON when its value goes into a field. Two fields that take the same key, or one that takes a key around the other's, would find nothing there.";
    MissingElementType = "VF0342", Error, "an array without the type of its elements",
        "`type: array` alone does not say what the elements are. Add `element_type`.";
    SettingOfOtherType = "VF0343", Error, "a setting that the type does not have",
        "Some settings go with some types only: `element_type` and `max_capacity` with arrays, `max_length` with texts and arrays of them, `scale` with int8 and float vectors, analyzers and matching with texts.";
    NullContradiction = "VF0344", Error, "what is said about nulls contradicts itself",
        "A null is to be kept or made where the field takes none, or is to become a default value that is taken away at the same time.";
    CannotBeCut = "VF0345", Error, "values that can't be cut",
        "`on_misfit: truncate` cuts a text or an array that is too long. Values of other types are whole or wrong.";
    OutputAlsoFilled = "VF0346", Error, "a function's output with settings of its own",
        "The server fills the output of a function, in a type that follows from the function. Such a field is not filled by the plan, takes no nulls and defaults, and is no key of any kind.";
    OutputTwice = "VF0347", Error, "a field that is filled by two functions",
        "Each field is the output of one function at most.";
    FunctionReadsItself = "VF0348", Error, "a function that fills what it reads",
        "A function's inputs and outputs are different fields.";
    AutoIdOnly = "VF0349", Error, "a setting for keys that the server makes",
        "`keep_as` and `allow_insert_auto_id` say what becomes of the source's keys where the server makes new ones, which `auto_id: true` asks for. Without it each row keeps its key.";
    KeptKeyName = "VF0350", Error, "a name for the kept keys that is taken",
        "`keep_as` makes a field for the source's keys, beside all others. Its name is that of another field already.";
    KeysKeptTwice = "VF0351", Error, "keys kept in two ways",
        "With `allow_insert_auto_id` the rows bring the source's keys as their primary keys, so there is nothing left for `keep_as` to keep.";
    BadPrimaryKey = "VF0352", Error, "not a field that can be the primary key",
        "A primary key is a field of type int64 or varchar that holds a key of its own in each row: no null, no default, no constant, and nothing that is cut.";
    DroppedAndUsed = "VF0353", Error, "a dropped field that is used",
        "`drop` leaves a field of the source behind, and another part of the entry counts on it. A field that `from` names is not carried under its old name anyway, so it needs no `drop`.";
    BadDynamicKey = "VF0354", Error, "not a key of the dynamic field",
        "`$meta.KEY` under `fields` puts a value under one key of the dynamic field. It is JSON, so it has no type, length, default or role, and it needs the dynamic field on the target.";
    IndexOnDynamicKey = "VF0355", Error, "an index on a dynamic key",
        "vecferry makes indexes on fields. A key of the dynamic field that is to be indexed can be lifted into a field of its own.";
    BadAlias = "VF0356", Error, "not an alias that Milvus accepts",
        "An alias has 1 to 255 letters, digits and underscores and does not start with a digit.";
    AliasTwice = "VF0357", Error, "an alias that is taken",
        "Within a database a name belongs to one collection or points to one. The alias is the name of a collection that the plan reads or writes there, or is given twice.";
    AliasWithMatch = "VF0358", Error, "aliases for a pattern",
        "An alias points to one collection, but `match` may select many.";
    BadPartitionName = "VF0359", Error, "not a partition name that Milvus accepts",
        "A partition's name has 1 to 255 letters, digits and underscores and does not start with a digit.";
    RenameOutsideOnly = "VF0360", Error, "a new name for a partition that is not copied",
        "`only` lists the partitions whose rows are copied, and `rename` names another one.";
    RenameBesidePartitionKey = "VF0361", Error, "partition names beside a partition key",
        "A collection with a partition key has partitions that the server makes and names, so there are none to rename.";
    PruneWithoutConverge = "VF0362", Error, "prune without converge",
        "`prune: true` removes the rows that only the target has. That has a meaning only where a plan writes into a target as it stands, with `on_existing: converge`.";
    SourceToBeMade = "VF0363", Error, "a source that is yet to be made",
        "`create` makes a cluster of Zilliz Cloud, which is empty. A source is named by its `cluster_id`, or by its address under `milvus`.";
    CuOfServerless = "VF0364", Error, "compute units of a serverless cluster",
        "`cu_type` and `cu_size` say what a dedicated cluster of Zilliz Cloud is made of. A serverless one has no compute units of its own.";
    MissingCuSize = "VF0365", Error, "a dedicated cluster without a size",
        "A dedicated cluster of Zilliz Cloud has a number of compute units, and is paid for by it. There is no default, because nobody should pay for a number that they did not choose.";
    BadCuSize = "VF0366", Error, "a number of compute units that is not to be had",
        "Dedicated clusters of Zilliz Cloud have 1, 2 or 4 compute units, then multiples of 4 from 8 to 64, of 8 up to 256 and of 16 up to 1024; Standard clusters have up to 32.";
    BadCloudApi = "VF0367", Error, "not an address of Zilliz Cloud's service",
        "`api` is the base address of the service that is asked about clusters: `https://host`, without a path. The key goes there, so plain `http://` is accepted for an address of this machine only, with its port. Without `api` the address follows from the region.";
    RegionContradicts = "VF0368", Error, "a region that contradicts",
        "Clusters in China (regions that begin with `ali-` or `tc-`) are known to another address of the service than all others, and a cluster that is to be made has one region. What the plan says names two.";
    EngineNeedsClusters = "VF0369", Error, "the migration service does not know both sides",
        "With `engine: zilliz_cloud` the migration service of Zilliz Cloud moves the rows. Its interface takes the ids of two clusters that one address of the service knows, and no addresses of clusters. Name both sides with `zilliz_cloud`, or leave `engine` out: vecferry then moves the rows itself.";
    MadeTwice = "VF0370", Error, "two clusters to be made that get in each other's way",
        "Two targets describe the cluster of one name and project in different ways, or two clusters would have their passwords written to one file. A cluster is made once, and its password is said once.";

    TomlSyntax = "VF0401", Error, "vecferry.toml is not valid TOML",
        "`vecferry.toml` could not be read as TOML, so none of its settings are known.";
    UnknownProfile = "VF0402", Error, "an unknown profile",
        "`profile` names a connection under `[profiles.NAME]` in `vecferry.toml`. This name is not among them.";
    NoSettingsFile = "VF0403", Error, "a profile without a vecferry.toml",
        "The plan uses a profile, but there is no `vecferry.toml` in the plan's folder or any folder above it.";
    SettingsDiffer = "VF0404", Error, "plans under different vecferry.toml files",
        "The given plans lie under different `vecferry.toml` files, so it is open where the state of the run would be kept. Give them in separate commands.";
    BadStatePlace = "VF0405", Error, "a place where no state can be kept",
        "`[state] url` names where the state of runs lies: `s3://BUCKET/PREFIX` for a bucket of an S3 store, `file:///FOLDER` for a folder. Credentials and the store's address are taken from the environment, as the AWS tools name them, and never from the file. `lease` belongs to a bucket.";
    CloudProfile = "VF0406", Error, "a profile of another kind",
        "The profile is a cluster of Zilliz Cloud by its id, or one to be made. This command connects to addresses, and asks no service for one.";
    SavedPlanUnusable = "VF0501", Error, "a saved plan that can't be used",
        "A saved plan is applied as it is or not at all. This one can't be read, was changed after it was saved, or was saved by another version of vecferry, which may decide otherwise about the same plan. Save it again with `vecferry plan PLAN --out FILE` and have it reviewed again.";
    SavedPlanStale = "VF0502", Error, "a saved plan that no longer fits",
        "A saved plan holds what both clusters and the state looked like when it was made: ids, schemas, rows, aliases. Each of them is looked at again before it is applied, and a difference stops it, because what was reviewed was reviewed for what was there. The message names every difference. Look whether they are meant to be there, then save the plan again.";
    PlanNotSaved = "VF0503", Error, "a plan that could not be saved",
        "The file that `--out` names could not be written, or exists and is no saved plan; then it is left alone, because it may be the plan file itself.";
    LiteralNotSaved = "VF0504", Error, "a secret in the plan cannot be saved",
        "Saved plans hold no secrets, only where they come from, and are read by people and kept by CI. A token or password that stands in the plan itself, which is allowed for addresses of this machine, can therefore not be saved. Use `{env: NAME}`, `{file: PATH}` or `{command: [..]}`.";

    SourceUnreadable = "VF1001", Error, "the collection could not be looked at",
        "The cluster answered, but not for this collection. Its own words are part of the message. The other collections of the plan go on; this one is named at the end, and the exit code is 3.";
    SourceMissing = "VF1002", Error, "the source has no such collection",
        "The plan names a collection that the source's database does not hold. Names are case-sensitive, and each belongs to one database.";
    CannotHold = "VF1003", Error, "the target cannot hold it",
        "The collection, as the plan shapes it, has something that the target's version cannot hold or that vecferry cannot carry. It is blocked before anything is made, because servers accept some schemas that they then cannot keep: a type, nulls or a name would be lost, or the server would die of an insert.";
    CountedNotReturned = "VF1004", Error, "the source counts rows that it never returns",
        "Some versions of Milvus count a row and never return it, such as one with the largest INT64 as its key. A row that cannot be read cannot be copied, so the collection is blocked until such rows have other keys, are deleted, or are left out with `where`.";
    SourceCannotLoad = "VF1005", Error, "the source cannot be loaded",
        "Rows can only be read from a loaded collection, and Milvus loads one only when each of its vector fields has an index. This source is not loaded and lacks one.";
    UnfinishedOther = "VF1006", Error, "an unfinished run of another plan",
        "The state remembers a run on this target that did not end and that was asked for something else. Going on with it under this plan could leave rows in two shapes, so it is refused, not guessed at.";
    TargetReplaced = "VF1007", Error, "the target was made anew by somebody else",
        "The run marks the collection that it makes. The collection of that name no longer carries the mark or has another id, so it is not the run's and is not written to.";
    SourceReplaced = "VF1008", Error, "the source was made anew",
        "The source collection has another id than when the unfinished run began, so what was copied already came from another collection.";
    BegunElsewhere = "VF1009", Error, "a run whose state is not here",
        "The target carries the mark of an unfinished run of this very plan, and the state that remembers which splits are done is not here: it is on another machine, or was deleted.";
    TargetExists = "VF1010", Error, "the target exists",
        "With `on_existing: fail`, the default, a collection that this plan did not make is never written to.";
    Drifted = "VF1011", Error, "rows changed since the plan was completed",
        "The plan was completed, and one of the sides no longer holds as many rows as it did then. `vecferry verify` tells which rows.";
    TargetMisfit = "VF1012", Error, "the target does not fit",
        "The plan converges, which writes into the target as it stands, and a field of the target cannot take the rows.";
    TargetUnreadable = "VF1013", Error, "the target cannot be read to compare it",
        "To converge, both sides are compared, and a collection without an index cannot be loaded to be read.";
    CrossingKeys = "VF1014", Error, "keys stand in several partitions",
        "The same primary key stands in more than one partition. Queries return one of the rows and upserts replace within one partition only, so no rule can say which row is meant.";
    NoConnection = "VF1016", Error, "no connection to a cluster",
        "No connection could be opened to a cluster that the plan names: nothing listens there, the name does not resolve, TLS does not fit, or a secret that the plan refers to could not be read. Nothing was read or written anywhere.";
    CredentialsRefused = "VF1017", Error, "a cluster refused the credentials",
        "The cluster answered, and does not accept the token or the user name and password that the plan refers to, or it accepts them and the login lacks rights that the plan needs, each of which the message names. Nothing was read or written anywhere.";
    StateUnreadable = "VF1018", Error, "the state of this target cannot be read",
        "The journal that remembers what was done for this target is damaged or was written by a newer version. A journal that forgets a record would let rows be inserted a second time, so nothing is guessed. The other collections of the plan go on.";
    RowsDoNotFit = "VF1019", Error, "rows do not fit",
        "The whole source was read as the plan maps it, and some rows cannot be written: a value is too long, out of range or of another form, a null stands where none may be, or two rows would have one primary key. Nothing is written until the plan says what to do with such rows.";
    AliasTaken = "VF1020", Error, "an alias and a collection of one name",
        "An alias and a collection of one database cannot have the same name: an alias could never be pointed to the target, and what a plan writes into an alias would land in another collection.";
    SourceBeingWritten = "VF1021", Error, "a source that is being written",
        "Another entry of the same apply writes to the collection that this one reads, or gives its name to another collection as an alias. Collections are copied side by side, so rows of before and of after would arrive together. Apply the same plan once more when the first is done, and this one follows; where both are to be independent, leave one out with `--exclude`, or put them into plans that are applied one after the other.";
    PairNotMoved = "VF1046", Error, "plans that the migration service does not move between",
        "The migration service of Zilliz Cloud moves from Serverless to Serverless or Dedicated, from Dedicated to Dedicated, and from Free to Dedicated; never to a lower plan, and from Free to Serverless only by an upgrade in place. `engine: direct` copies between any two clusters, within what the target holds.";
    Shaped = "VF1101", Warning, "shaped on the way",
        "Something arrives otherwise than the source has it, because the target needs it so.";
    GoesOn = "VF1102", Warning, "an unfinished run goes on",
        "An earlier run on this target did not end. The same plan goes on where it stopped: splits that are done stay done, and splits that may have been tried are written so that no row is doubled.";
    MadeAgain = "VF1103", Warning, "a collection that is gone is made again",
        "The state remembers a run that made this collection, and the target no longer has it.";
    ComparedLater = "VF1104", Warning, "compared when applied",
        "A side is not loaded, and a plan loads nothing, so how many rows differ is known only when the plan is applied.";
    StartsOver = "VF1105", Warning, "an unfinished run starts over",
        "The collection that an unfinished run made is dropped and filled anew: because the server makes the keys and no field keeps the old ones, so that nobody can tell which rows arrived; or because the plan changed since and says `on_existing: replace`.";
    Scanned = "VF1106", Warning, "every row was read",
        "The plan was made with `--scan`: the whole source was read as the plan maps it, and the rows that each rule touches were counted. A source that is not loaded cannot be read, and a plan loads nothing.";
    KeysLater = "VF1107", Warning, "doubled keys are looked for while copying",
        "Going through the keys of many small rows would cost too much beside copying them, so a plan counts the rows and no more. Whether a key stands twice is found while copying: it arrives once all the same, and the report says how many rows were left behind. `plan --scan` goes through the keys before.";
    MayGoWrong = "VF1201", Warning, "something that could go wrong",
        "The plan can be applied, and this is worth a look before it is.";
    DoubledKeys = "VF1202", Warning, "the source holds doubled keys",
        "Milvus accepts several rows of one primary key. Each key arrives once, with the row that a query on the source returns for it; verification counts distinct keys and says how many rows were left behind.";
    OnlyOnTarget = "VF1203", Warning, "rows that only the target has",
        "The plan converges: it writes what is missing or differs. Rows that only the target has are left alone, unless the plan says `prune: true`: then they are removed.";
    NothingMatches = "VF1204", Warning, "a pattern matches no collection",
        "The pattern under `match` fits no collection of the source's database, or all that it fits are excluded.";
    InQuarantine = "VF1205", Warning, "rows in quarantine",
        "Some rows do not fit, and the plan says `on_misfit: quarantine`: they are written to files beside the state with the reason and the key, and are missing on the target. As long as there are any, apply and verify end with exit code 3.";
    LosesKeys = "VF1206", Warning, "keys of the dynamic field are left behind",
        "The source has a dynamic field and the target does not. The keys listed are in the rows and in no field of the target, so their values do not arrive.";
    PasswordFileExists = "VF1041", Error, "something stands where a password is to go",
        "The password of a new cluster of Zilliz Cloud is said once and never again. It is written to the file that the plan names, and a file that is there may hold another password, so it is not overwritten.";
    ClusterUnclear = "VF1042", Error, "several clusters have that name",
        "A plan that wants a cluster made looks for one of its name in its project first, so that it is made once. There are several, and nothing tells which one is meant.";
    ClusterMissing = "VF1043", Error, "the control plane knows no such cluster",
        "The plan names a cluster of Zilliz Cloud by its id, and the control plane has none of that id that the API key may see. Nothing was read or written anywhere.";
    ClusterSuspended = "VF1044", Error, "a cluster is suspended",
        "A suspended cluster of Zilliz Cloud answers nobody, so its collections cannot be looked at. It is resumed by `apply` where the plan says `resume: true`, because a cluster that runs costs money; `plan` and `verify` never resume one.";
    ClusterNotReady = "VF1045", Error, "a cluster is not ready",
        "The cluster is being made, resumed or changed, and cannot be talked to yet. `apply` waits until it can be; `plan` and `verify` do not.";
    ClusterGone = "VF1111", Warning, "a cluster that was made is gone",
        "The state remembers a run that had this cluster made, and the control plane no longer has it. Where there is none of its name, it is made again.";
    ClusterAskedFor = "VF1112", Warning, "a cluster was asked for and is not there",
        "A run was stopped between its request for a cluster and the answer, and the control plane has no cluster of that name. It is asked for again; the service refuses a name that exists, so there will be one.";
    ClusterExists = "VF1113", Warning, "a cluster of that name exists",
        "The plan wants a cluster made, and one of its name is in the project already. It is used as it is: a cluster is made once, however often a plan is applied and whatever becomes of the state.";
    ClusterStatus = "VF1211", Warning, "a cluster does not simply run",
        "The control plane has another word than RUNNING for the cluster. A migration job may be at work in it, or something may be wrong with it.";
    ClusterOtherwise = "VF1212", Warning, "a cluster is not as the plan wants it made",
        "The cluster that the plan wants made exists, and has another region, plan or size than the plan says. vecferry makes clusters and never changes one.";
    NotManaged = "VF1030", Error, "the migration service cannot do it",
        "The plan says `engine: zilliz_cloud`. The migration service of Zilliz Cloud takes names of clusters, databases and collections, and nothing else: no other name on the target, no other shape, no choice of rows. Use `engine: direct` for this collection, or leave out what the service cannot do.";
    ManagedDeprecated = "VF1230", Warning, "the migration service may go away",
        "The plan says `engine: zilliz_cloud`. The documentation of Zilliz Cloud marks the requests that start a migration between clusters as deprecated and names no others. They may stop working at any time; `engine: direct` does not need them.";
    PairUnusual = "VF1213", Warning, "plans that Zilliz Cloud does not move between, or not by all its pages",
        "The documentation of Zilliz Cloud does not foresee a migration between these two plans, or its pages disagree: then what today's page says counts, and the older one is named. With `engine: direct` vecferry copies the rows itself, and only the limits of the target count.";
    BeyondCluster = "VF1214", Warning, "more than the cluster may hold",
        "What the plan writes to a cluster of Zilliz Cloud is held against the limits of its plan and its compute units, as far as the documentation states them; `docs/limits.md` lists them with their sources. What the cluster holds already is not counted, and capacities in rows are rough. So this warns and stops nothing.";
    SameTargetTwice = "VF1015", Error, "two collections have the same target",
        "Through a pattern, two entries of the plan would write to the same collection of the target.";
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;
    use std::path::Path;

    use super::Code;

    #[test]
    fn every_code_is_unique_and_has_text() {
        let mut seen = HashSet::new();
        for code in Code::ALL {
            let info = code.info();
            assert!(seen.insert(info.id), "{} is there twice", info.id);
            assert!(
                info.id.len() == 6
                    && info.id.starts_with("VF")
                    && info.id[2..].bytes().all(|byte| byte.is_ascii_digit()),
                "{} is not VF and four digits",
                info.id
            );
            assert!(!info.title.is_empty() && !info.title.ends_with('.'));
            assert!(info.explanation.len() > 40 && info.explanation.ends_with('.'), "{} is not explained", info.id);
        }
    }

    #[test]
    fn every_code_is_used() {
        let mut sources = String::new();
        collect(Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/src")), &mut sources);
        for code in Code::ALL {
            let name = format!("Code::{code:?}");
            let used = sources
                .match_indices(&name)
                .any(|(at, _)| !sources[at + name.len()..].starts_with(|c: char| c.is_alphanumeric()));
            assert!(used, "{name} is in the table, but nothing reports it");
        }
    }

    fn collect(folder: &Path, into: &mut String) {
        for entry in fs_err::read_dir(folder).expect("folder") {
            let path = entry.expect("entry").path();
            if path.is_dir() {
                collect(&path, into);
            } else if path.extension().is_some_and(|end| end == "rs") && !path.ends_with("codes.rs") {
                into.push_str(&fs_err::read_to_string(path).expect("file"));
            }
        }
    }
}
