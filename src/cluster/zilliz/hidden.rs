//! What the service says, without the secrets that it was told: it repeats what it does not like.

use secrecy::{ExposeSecret, SecretString};

/// Shortest part of a secret that is not shown.
const PART: usize = 6;

/// Text without these secrets and without longer parts of them.
pub(super) fn hidden<'a>(text: &str, secrets: impl Iterator<Item = &'a SecretString>) -> String {
    let mut text = text.to_owned();
    for secret in secrets {
        let secret = secret.expose_secret();
        if secret.is_empty() {
            continue;
        }
        let is_inside = |one: char| one.is_ascii_alphanumeric() || matches!(one, '-' | '_');
        let mut said = String::new();
        for part in text.replace(secret, "[hidden]").split_inclusive(|one| !is_inside(one)) {
            let word = part.trim_end_matches(|one| !is_inside(one));
            if word.len() >= PART && secret.contains(word) {
                said.push_str("[hidden]");
                said.push_str(&part[word.len()..]);
            } else {
                said.push_str(part);
            }
        }
        text = said;
    }
    text
}
