//! Just enough of Rust's grammar for `house.rs`: the paths and types that the product code of a file names, without comments,
//! texts and tests.

use std::path::{Path, PathBuf};

/// One file of `src/`, or one made up by a test.
pub struct SourceFile {
    /// From `src/` on, with forward slashes.
    pub path: String,
    pub text: String,
}

/// All files under `src/`.
pub fn files(src: &Path) -> Vec<SourceFile> {
    let (mut found, mut folders) = (Vec::new(), vec![src.to_owned()]);
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path: PathBuf = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                let text = std::fs::read_to_string(&path).unwrap();
                let path = path.strip_prefix(src).unwrap().to_str().unwrap().replace('\\', "/");
                found.push(SourceFile { path, text });
            }
        }
    }
    found.sort_by(|a, b| a.path.cmp(&b.path));
    found
}

/// The words and signs of the file's product code: `::` is one sign, comments and literals are gone, and so is every item
/// under `#[cfg(test)]`.
pub fn tokens(text: &str) -> Vec<String> {
    without_tests(lex(text))
}

/// Every path that is named, groups written out: `use a::{b, c::d}` gives `a::b` and `a::c::d`.
pub fn paths(tokens: &[String]) -> Vec<Vec<String>> {
    let mut found = Vec::new();
    let mut at = 0;
    while at < tokens.len() {
        let is_start = is_word(&tokens[at]) && (at == 0 || tokens[at - 1] != ".");
        at = if is_start { path(tokens, at, &[], &mut found) } else { at + 1 };
    }
    found
}

/// A struct or an enum: its name, what it derives, and every word of its body.
pub struct TypeItem {
    pub name: String,
    pub derives: Vec<String>,
    pub body: Vec<String>,
}

/// The types that are declared here.
pub fn types(tokens: &[String]) -> Vec<TypeItem> {
    let mut found = Vec::new();
    let mut derives = Vec::new();
    for at in 0..tokens.len() {
        match tokens[at].as_str() {
            "derive" => derives.extend(tokens[at + 1..].iter().take_while(|token| *token != ")").cloned()),
            "struct" | "enum" => {
                let end = end_of_item(tokens, at);
                let body = tokens[at + 2..end].to_vec();
                found.push(TypeItem { name: tokens[at + 1].clone(), derives: std::mem::take(&mut derives), body });
            }
            // What was derived belongs to the next type only.
            ";" | "}" | "fn" | "impl" => derives.clear(),
            _ => {}
        }
    }
    found
}

fn is_word(token: &str) -> bool {
    token.starts_with(|first: char| first.is_alphabetic() || first == '_')
}

fn path(tokens: &[String], mut at: usize, prefix: &[String], found: &mut Vec<Vec<String>>) -> usize {
    let mut parts = prefix.to_vec();
    while let Some(token) = tokens.get(at) {
        if token == "{" {
            at += 1;
            while at < tokens.len() && tokens[at] != "}" {
                at = if is_word(&tokens[at]) { path(tokens, at, &parts, found) } else { at + 1 };
            }
            return at + 1;
        }
        if !is_word(token) {
            break;
        }
        parts.push(token.clone());
        at += 1;
        if tokens.get(at).is_none_or(|sign| sign != "::") {
            break;
        }
        at += 1;
    }
    found.push(parts);
    at
}

fn without_tests(tokens: Vec<String>) -> Vec<String> {
    let test = ["#", "[", "cfg", "(", "test", ")", "]"];
    let (mut kept, mut at) = (Vec::new(), 0);
    while at < tokens.len() {
        if tokens[at..].iter().take(test.len()).eq(test.iter()) {
            at = end_of_item(&tokens, at + test.len());
        } else {
            kept.push(tokens[at].clone());
            at += 1;
        }
    }
    kept
}

/// Behind the `;` or the closing brace of the item that starts here.
fn end_of_item(tokens: &[String], start: usize) -> usize {
    let mut depth = 0;
    for (at, token) in tokens.iter().enumerate().skip(start) {
        match token.as_str() {
            "{" | "(" | "[" => depth += 1,
            "}" | ")" | "]" => depth -= 1,
            _ => {}
        }
        if depth == 0 && (token == "}" || token == ";") {
            return at + 1;
        }
    }
    tokens.len()
}

fn lex(text: &str) -> Vec<String> {
    let chars: Vec<char> = text.chars().collect();
    let (mut tokens, mut at) = (Vec::new(), 0);
    while at < chars.len() {
        let rest = &chars[at..];
        if rest.starts_with(&['/', '/']) {
            at += rest.iter().take_while(|c| **c != '\n').count();
        } else if rest.starts_with(&['/', '*']) {
            at += block_comment(rest);
        } else if let Some(length) = literal(rest) {
            at += length;
        } else if rest[0].is_alphanumeric() || rest[0] == '_' {
            let word: String = rest.iter().take_while(|c| c.is_alphanumeric() || **c == '_').collect();
            at += word.chars().count();
            tokens.push(word);
        } else if rest.starts_with(&[':', ':']) {
            at += 2;
            tokens.push("::".to_owned());
        } else {
            if !rest[0].is_whitespace() {
                tokens.push(rest[0].to_string());
            }
            at += 1;
        }
    }
    tokens
}

fn block_comment(rest: &[char]) -> usize {
    let (mut depth, mut at) = (0, 0);
    while at < rest.len() {
        if rest[at..].starts_with(&['/', '*']) {
            depth += 1;
            at += 2;
        } else if rest[at..].starts_with(&['*', '/']) {
            depth -= 1;
            at += 2;
            if depth == 0 {
                break;
            }
        } else {
            at += 1;
        }
    }
    at
}

/// The length of the text or character literal that starts here. A lifetime is none.
fn literal(rest: &[char]) -> Option<usize> {
    let prefix = rest.iter().take_while(|c| matches!(c, 'b' | 'c' | 'r')).count().min(2);
    let hashes = rest[prefix..].iter().take_while(|c| **c == '#').count();
    let raw = rest[..prefix].contains(&'r');
    if raw && rest.get(prefix + hashes) == Some(&'"') {
        let body = &rest[prefix + hashes + 1..];
        let end = (0..body.len())
            .find(|at| body[*at] == '"' && body[at + 1..].iter().take_while(|c| **c == '#').count() >= hashes);
        return Some(prefix + hashes + 1 + end.map_or(body.len(), |at| at + 1 + hashes));
    }
    match rest.get(prefix)? {
        '"' => Some(prefix + 1 + quoted(&rest[prefix + 1..], '"')),
        '\'' if rest.get(prefix + 1) == Some(&'\\') || rest.get(prefix + 2) == Some(&'\'') => {
            Some(prefix + 1 + quoted(&rest[prefix + 1..], '\''))
        }
        _ => None,
    }
}

/// Up to and with the closing quote.
fn quoted(body: &[char], quote: char) -> usize {
    let mut at = 0;
    while at < body.len() && body[at] != quote {
        at += if body[at] == '\\' { 2 } else { 1 };
    }
    at + 1
}
