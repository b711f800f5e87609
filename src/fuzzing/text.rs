//! Texts that people write: plans and settings.

use std::path::Path;

use crate::diagnostic::Diagnostic;
use crate::plan;
use crate::render::{Style, diagnostics};

/// Any bytes as a plan file end in a plan or in messages about it, each of which points into the file and can be shown.
pub fn plan(bytes: &[u8]) {
    let (plan, found) = plan::from_bytes(Path::new("plan.yaml"), bytes.to_vec());
    hold("plan.yaml", bytes, &found);
    assert!(plan.is_some() || found.iter().any(Diagnostic::is_error), "no plan, and no word about why");
}

/// Any bytes as a `vecferry.toml` end in settings or in messages.
pub fn settings(bytes: &[u8]) {
    let (settings, found) = plan::settings_from_bytes(Path::new("vecferry.toml"), bytes.to_vec());
    hold("vecferry.toml", bytes, &found);
    assert!(settings.is_some() || found.iter().any(Diagnostic::is_error), "no settings, and no word about why");
}

fn hold(name: &str, bytes: &[u8], found: &[Diagnostic]) {
    for diagnostic in found {
        assert!(!diagnostic.message.is_empty(), "{diagnostic:?}");
        let Some(span) = &diagnostic.span else { continue };
        let (range, text) = (&span.range, &span.source.text);
        assert_eq!(span.source.name, name);
        assert!(text.len() <= bytes.len() && bytes.starts_with(text.as_bytes()), "the file's text is another one");
        assert!(range.start <= range.end && text.get(range.clone()).is_some(), "{range:?} of {}", text.len());
        let (start, end) = (span.start(), span.end());
        assert!(start.byte <= end.byte && start.line <= end.line, "{start:?} to {end:?}");
        let line = span.source.line(end.line);
        assert!(start.column >= 1 && line.is_some(), "{start:?} to {end:?} lies in no line");
    }
    for width in [40, Style::DEFAULT_WIDTH] {
        let shown = diagnostics::text(found, Style { color: false, width });
        let control = shown.chars().find(|character| character.is_control() && *character != '\n');
        assert_eq!(control, None, "a terminal would obey it: {shown:?}");
        for diagnostic in found {
            assert!(shown.contains(diagnostic.code.info().id), "{diagnostic:?} is not shown");
        }
    }
    let json: Result<serde_json::Value, _> = serde_json::from_str(&diagnostics::json(found));
    let listed = json.as_ref().ok().and_then(|json| json["diagnostics"].as_array()).map(Vec::len);
    assert_eq!(listed, Some(found.len()), "{json:?}");
}
