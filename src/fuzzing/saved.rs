//! Saved plans, which come back from wherever CI kept them.

use std::path::Path;

use serde_json::Value;

use crate::render::{Style, changes, diagnostics};
use crate::saved;

const FILE: &str = "kb.vfplan.json";

/// Bytes as a saved plan: as they are, and as somebody would hand them over who knows how to seal a document.
pub fn saved(bytes: &[u8]) {
    read(bytes);
    let document: Result<Value, _> = serde_json::from_slice(bytes);
    if let Ok(Value::Object(members)) = document {
        read(&saved::sealed(Value::Object(members)));
    }
}

/// A document is none, is refused with a word about why, or is a plan that can be shown, carried out and read again.
fn read(bytes: &[u8]) {
    let plan = match saved::parse(Path::new(FILE), bytes) {
        Ok(None) => return,
        Ok(Some(plan)) => plan,
        Err(found) => {
            harmless(&diagnostics::text(&[*found], Style { color: false, width: 80 }));
            return;
        }
    };
    let _can_be_looked_at = plan.plans(Path::new(FILE));
    let diff = plan.diff();
    for width in [40, 200] {
        harmless(&changes::text(&diff, Style { color: false, width }));
    }
    let markdown = changes::markdown(&diff);
    harmless(&markdown);
    assert!(markdown.len() < 65_536, "a comment of {} bytes", markdown.len());
    assert!(changes::json(&diff).is_object());
    let again =
        serde_json::from_str(&plan.text()).map(saved::sealed).map(|bytes| saved::parse(Path::new(FILE), &bytes));
    assert!(matches!(again, Ok(Ok(Some(_)))), "what was read is not written as it could be read: {again:?}");
}

fn harmless(text: &str) {
    let control = text.chars().find(|character| character.is_control() && *character != '\n');
    assert_eq!(control, None, "a terminal would obey it: {text:?}");
}
