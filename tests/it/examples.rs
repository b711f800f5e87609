//! The plans of `examples/` do what they say they do.

use std::path::PathBuf;

use serde_json::json;

use crate::secrets::MARK;
use crate::servers::{root, source, target};
use crate::support::{Workspace, act, assert_identical, fill, place};

/// Every plan with its text.
fn examples() -> Vec<(PathBuf, String)> {
    let folder = std::fs::read_dir(root().join("examples/plans")).unwrap();
    let mut paths: Vec<PathBuf> = folder.map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    paths.into_iter().map(|path| (path.clone(), std::fs::read_to_string(path).unwrap())).collect()
}

#[test]
fn every_example_is_valid() {
    let all = examples();
    assert!(all.len() >= 5);
    for (path, _) in all {
        let run = Workspace::new().run(&["validate", path.to_str().unwrap()]).ended(0);
        assert!(!run.words().contains("warning"), "{}: {}", path.display(), run.words());
    }
}

/// The names in the plan, where the servers are those of this test.
fn is_local(text: &str) -> bool {
    text.contains("http://127.0.0.1:19530") && text.contains("http://127.0.0.1:19531")
}

#[test]
fn the_examples_for_servers_on_this_machine_work() {
    let here = |name: &str| place(source(), "default", name);
    let there = |database: &str, name: &str| place(target(), database, name);
    fill(&here("articles"), "articles", &[]);
    for name in ["logs_app", "logs_web", "logs_tmp_1", "logs_audit"] {
        fill(&here(name), "small", &["--rows", "50"]);
    }
    for name in ["documents", "events_app", "events_mail", "events_web"] {
        fill(&here(name), "small", &["--rows", "200"]);
    }
    let local: Vec<_> = examples().into_iter().filter(|(_, text)| is_local(text)).collect();
    assert_eq!(local.len(), 8, "an example for this machine that no assertion below is about");
    for (path, text) in local {
        let work = Workspace::new();
        let text =
            text.replace("http://127.0.0.1:19530", source().uri()).replace("http://127.0.0.1:19531", target().uri());
        // The server asks for none; what is sent to it must be something that the search for secrets knows.
        let text = text.replace("token: root:Milvus", &format!("token: root:{MARK}"));
        work.write("plan.yaml", &text);
        work.look().ended(2);
        work.apply().ended(0);
        work.look().ended(0);
        work.verify().ended(0);
        match path.file_name().unwrap().to_str().unwrap() {
            "local-copy.yaml" => assert_identical(&here("articles"), &there("default", "articles"), &[]),
            "local-shape.yaml" => {
                let options =
                    ["--drop", "internal_score,draft_notes", "--where", "year >= 2015 and lang in ['en', 'zh']"];
                let articles = there("default", "articles_v2");
                assert_identical(&here("articles"), &articles, &options);
                assert!(act(&articles, "count", &[]).as_u64().unwrap() > 0);
                assert_eq!(act(&articles, "load-state", &[]), "Loaded");
                assert_eq!(act(&articles, "indexes", &[])[0]["index_type"], "FLAT");
            }
            "local-glob.yaml" => {
                assert_eq!(act(&there("logs", ""), "collections", &[]), json!(["audit", "logs_app", "logs_web"]));
                for (from, to) in [("logs_app", "logs_app"), ("logs_web", "logs_web"), ("logs_audit", "audit")] {
                    assert_identical(&here(from), &there("logs", to), &[]);
                }
                assert_eq!(act(&there("logs", "logs_app"), "describe", &[])["shards_num"], 4);
                assert_eq!(act(&there("logs", "audit"), "describe", &[])["shards_num"], 1);
            }
            "local-partition-key.yaml" => {
                let found = act(&there("default", "documents_by_language"), "describe", &[]);
                assert_eq!(found["num_partitions"], "16");
                let fields: Vec<_> = found["schema"]["fields"].as_array().unwrap().iter().map(|f| &f["name"]).collect();
                assert_eq!(fields, ["id", "headline", "year", "vector", "lang"]);
                // The even rows have no language, and the default stands for it.
                assert_eq!(act(&there("default", "documents_by_language"), "count", &["lang == \"en\""]), 133);
            }
            "local-auto-id.yaml" => {
                let new = there("default", "documents_new_keys");
                assert_identical(&here("documents"), &new, &["--known-by", "legacy_id"]);
                assert_eq!(act(&new, "indexes", &[]).as_array().unwrap().len(), 2);
            }
            "local-float16.yaml" => {
                let fields = act(&there("default", "documents_float16"), "describe", &[])["schema"]["fields"].clone();
                assert_eq!(fields[3]["data_type"], "Float16Vector");
            }
            "local-blue-green.yaml" => {
                assert_eq!(act(&there("default", "documents_green"), "aliases", &[]), json!(["documents_live"]));
                // Switched back, as the comment in the plan says.
                let alias = "        aliases: [documents_live]\n";
                let back = text.replace(alias, "").replacen("load: true\n", &format!("load: true\n{alias}"), 1);
                work.write("plan.yaml", &back);
                work.look().ended(2).says(&["documents_green → documents_blue"]);
                work.apply().ended(0);
                assert_eq!(act(&there("default", "documents_blue"), "aliases", &[]), json!(["documents_live"]));
                work.look().ended(0);
            }
            "local-odd-one-out.yaml" => {
                let web = there("events", "events_web");
                assert_eq!(act(&web, "row", &["0"])["imported_from"], "old-server");
                let properties = act(&there("events", "events_app"), "describe", &[])["properties"].clone();
                assert!(properties.to_string().contains("platform-team"), "{properties}");
            }
            other => panic!("nothing is asserted about {other}"),
        }
    }
}
