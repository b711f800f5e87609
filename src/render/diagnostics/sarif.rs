//! Diagnostics as SARIF 2.1.0, which code scanning reads.

use std::collections::HashMap;

use serde_json::{Map, Value, json};
use twox_hash::XxHash3_64;

use super::whereabouts::Whereabouts;
use crate::diagnostic::{Code, CodeInfo, Diagnostic, Severity, Span};
use crate::render::snippet::snippet;
use crate::render::words;

/// Where the schema of this form is published.
const SCHEMA: &str = "https://docs.oasis-open.org/sarif/sarif/v2.1.0/os/schemas/sarif-schema-2.1.0.json";

/// Stands for the root of the repository.
const ROOT: &str = "%SRCROOT%";

/// One log with one run.
pub fn sarif(diagnostics: &[Diagnostic], here: &Whereabouts) -> String {
    let mut fingerprints = Fingerprints::default();
    let results: Vec<Value> =
        diagnostics.iter().map(|diagnostic| result(diagnostic, here, &mut fingerprints)).collect();
    let mut driver = json!({
        "name": "vecferry",
        "version": env!("CARGO_PKG_VERSION"),
        "semanticVersion": env!("CARGO_PKG_VERSION"),
        "rules": Code::ALL.iter().map(|code| rule(*code)).collect::<Vec<_>>(),
    });
    if let Some(page) = absolute(env!("CARGO_PKG_REPOSITORY").to_owned()) {
        driver["informationUri"] = page.into();
    }
    let log = json!({
        "$schema": SCHEMA,
        "version": "2.1.0",
        "runs": [{
            "tool": {"driver": driver},
            // With a name of its own, an upload takes the place of the last one and of no other tool's.
            "automationDetails": {"id": "vecferry/validate/"},
            // That plans are invalid is a finding; looking for it went well.
            "invocations": [{"executionSuccessful": true}],
            "originalUriBaseIds": {ROOT: {"description": {"text": "The root of the repository."}}},
            "columnKind": "unicodeCodePoints",
            "results": results,
        }],
    });
    format!("{log:#}\n")
}

fn rule(code: Code) -> Value {
    let info = code.info();
    let mut rule = json!({
        "id": info.id,
        "name": format!("{code:?}"),
        "shortDescription": {"text": sentence(info.title)},
        "fullDescription": {"text": info.explanation},
        "help": {"text": help(&info, ""), "markdown": help(&info, "`")},
        "defaultConfiguration": {"level": level(info.severity)},
        "properties": {"problem.severity": level(info.severity)},
    });
    if let Some(page) = absolute(info.page()) {
        rule["helpUri"] = page.into();
    }
    rule
}

fn help(info: &CodeInfo, quote: &str) -> String {
    format!("{}\n\n{quote}vecferry explain {}{quote} prints this text.", info.explanation, info.id)
}

/// SARIF takes whole addresses only.
fn absolute(page: String) -> Option<String> {
    page.starts_with("https://").then_some(page)
}

fn sentence(title: &str) -> String {
    let mut letters = title.chars();
    let first: String = letters.next().into_iter().flat_map(char::to_uppercase).collect();
    format!("{first}{}.", letters.as_str())
}

fn level(severity: Severity) -> &'static str {
    match severity {
        Severity::Warning => "warning",
        Severity::Error => "error",
    }
}

fn result(diagnostic: &Diagnostic, here: &Whereabouts, fingerprints: &mut Fingerprints) -> Value {
    let mut message = words::calm(&diagnostic.message);
    if let Some(help) = &diagnostic.help {
        message.push_str(&format!("\nhelp: {}", words::calm(help)));
    }
    // Readers make a link of `[text](address)`, and a name from a plan could be one.
    message = message.replace("](", "] (");
    let mut location = Map::new();
    if let Some(span) = &diagnostic.span {
        location.insert("physicalLocation".to_owned(), place(span, here));
    }
    if let Some(address) = &diagnostic.address {
        location.insert("logicalLocations".to_owned(), json!([{"fullyQualifiedName": words::clean(address)}]));
    }
    let locations: Vec<Value> = (!location.is_empty()).then_some(Value::Object(location)).into_iter().collect();
    json!({
        "ruleId": diagnostic.code.info().id,
        "ruleIndex": Code::ALL.iter().position(|code| *code == diagnostic.code),
        "level": level(diagnostic.severity),
        // Braces would be taken for what is to be filled in only where `arguments` are given, and none are.
        "message": {"text": message},
        "locations": locations,
        "partialFingerprints": {"vecferryDiagnostic/v1": fingerprints.of(diagnostic, here)},
    })
}

fn place(span: &Span, here: &Whereabouts) -> Value {
    let (uri, in_repository) = here.uri(&span.source.name);
    let mut artifact = json!({"uri": uri});
    if in_repository {
        artifact["uriBaseId"] = ROOT.into();
    }
    let (start, end) = (span.start(), span.end());
    let mut region = json!({
        "startLine": start.line, "startColumn": start.column, "endLine": end.line, "endColumn": end.column,
    });
    if let Some(snippet) = snippet(span, 0) {
        region["snippet"] = json!({"text": snippet.text});
    }
    json!({"artifactLocation": artifact, "region": region})
}

/// Names for findings that stay when lines above them come or go, so that an upload knows which of them are new.
#[derive(Default)]
struct Fingerprints {
    seen: HashMap<String, usize>,
}

impl Fingerprints {
    fn of(&mut self, diagnostic: &Diagnostic, here: &Whereabouts) -> String {
        let mut known = diagnostic.code.info().id.to_owned();
        if let Some(span) = &diagnostic.span {
            // The line as it may be shown: nothing is made from a secret, not even a hash.
            let line = snippet(span, 0).map(|snippet| snippet.text).unwrap_or_default();
            known.push_str(&format!("\n{}\n{}", here.in_repository(&span.source.name), line.trim()));
        }
        known.push_str(&format!("\n{}", diagnostic.address.as_deref().unwrap_or_default()));
        let hash = XxHash3_64::oneshot(known.as_bytes());
        let times = self.seen.entry(known).or_default();
        *times += 1;
        format!("{hash:016x}:{times}")
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::diagnostic::SourceText;
    use crate::render::diagnostics::tests::everything;

    fn log(diagnostics: &[Diagnostic]) -> Value {
        serde_json::from_str(&sarif(diagnostics, &Whereabouts::default())).expect("JSON")
    }

    #[test]
    fn every_code_is_a_rule() {
        let log = log(&everything());
        let rules = log["runs"][0]["tool"]["driver"]["rules"].as_array().expect("rules");
        assert_eq!(rules.len(), Code::ALL.len());
        for result in log["runs"][0]["results"].as_array().expect("results") {
            let index = result["ruleIndex"].as_u64().expect("a number");
            assert_eq!(rules[usize::try_from(index).expect("small")]["id"], result["ruleId"]);
        }
    }

    #[test]
    fn a_name_from_the_plan_becomes_no_link() {
        let found = Diagnostic::new(Code::UnknownKey, "unknown key `[x](https://example.com)`").help("[y](1)");
        let text = log(&[found])["runs"][0]["results"][0]["message"]["text"].clone();
        assert_eq!(text, "unknown key `[x] (https://example.com)`\nhelp: [y] (1)");
    }

    #[test]
    fn columns_are_code_points_from_one() {
        let text = "# 中\n值: sorce\n";
        let at = text.find("sorce").expect("it");
        let source = Arc::new(SourceText::new("plans/kb.yaml", text));
        let found = Diagnostic::new(Code::UnknownKey, "x").at(Span::new(&source, at..at + 5));
        let place = log(&[found])["runs"][0]["results"][0]["locations"][0]["physicalLocation"].clone();
        assert_eq!(place["artifactLocation"], json!({"uri": "plans/kb.yaml", "uriBaseId": "%SRCROOT%"}));
        let region = &place["region"];
        assert_eq!(
            (&region["startLine"], &region["startColumn"], &region["endColumn"]),
            (&json!(2), &json!(4), &json!(9))
        );
        assert_eq!(region["snippet"]["text"], "值: sorce\n");
    }

    #[test]
    fn a_finding_keeps_its_name_when_lines_move_and_secrets_are_no_part_of_it() {
        let fingerprint = |text: &str, secret: &str| -> Value {
            let at = text.find("token").expect("it");
            let mask = text.find(secret).expect("it");
            let source =
                Arc::new(SourceText::with_masks("p.yaml", text, std::iter::once(mask..mask + secret.len()).collect()));
            let found = Diagnostic::new(Code::LiteralSecret, "x").at(Span::new(&source, at..at + 5));
            let twice = log(&[found.clone(), found]);
            let results = &twice["runs"][0]["results"];
            assert_ne!(results[0]["partialFingerprints"], results[1]["partialFingerprints"]);
            results[0]["partialFingerprints"].clone()
        };
        let before = fingerprint("token: one\n", "one");
        assert_eq!(before, fingerprint("# a line more\n\n  token: two\n", "two"));
        assert_ne!(before, fingerprint("other: one # token\n", "one"));
    }
}
