//! The forms in which a secret could be seen. Integration tests and unit tests (`src/searched.rs`) search with the same eyes.

use std::sync::LazyLock;

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD_NO_PAD, URL_SAFE_NO_PAD};

/// What every token and password of a test has in it.
pub const MARK: &str = "Sup3rS3cret";
/// The same for a secret that is a number.
pub const NUMBER: &str = "7307530730753";

/// The forms of both.
static FORMS: LazyLock<Vec<String>> = LazyLock::new(|| [MARK, NUMBER].into_iter().flat_map(forms).collect());

/// The forms in which a secret could be seen: as it is, as digits, and in base64 behind a prefix of any length, as a user's name
/// stands before a password.
fn forms(secret: &str) -> Vec<String> {
    let bytes = secret.as_bytes();
    let hex: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
    let decimal: Vec<String> = bytes.iter().map(u8::to_string).collect();
    let mut forms = vec![secret.to_owned(), hex.to_uppercase(), hex, decimal.join(", ")];
    for shift in 0..3 {
        for engine in [STANDARD_NO_PAD, URL_SAFE_NO_PAD] {
            // Characters that hold bits of whatever stands before or behind it are left out.
            let encoded = engine.encode([&vec![0; shift], bytes].concat());
            let first = (shift * 8).div_ceil(6);
            let last = (shift + bytes.len()) * 8 / 6;
            forms.push(encoded[first..last].to_owned());
        }
    }
    forms
}

/// The first secret in this text, as it stands there.
pub fn found_in(text: &str) -> Option<&'static str> {
    FORMS.iter().map(String::as_str).find(|form| text.contains(form))
}
