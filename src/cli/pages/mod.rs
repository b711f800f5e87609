//! The pages of `docs/` that are made from what the binary knows: built for tests only, which keep the committed ones fresh.

mod codes;
mod commands;
mod keys;
mod limits;

/// What stands at the head of a page.
const NOTE: &str =
    "<!-- Made by `VECFERRY_UPDATE=1 cargo test --lib fresh`. Change what it is made from, and not this page. -->\n";

/// Holds a page against the committed one, or writes it where that was asked for.
fn assert_fresh(name: &str, page: &str) {
    let path = format!("{}/docs/{name}", env!("CARGO_MANIFEST_DIR"));
    let wanted = format!("{NOTE}\n{}\n", page.trim_end());
    if std::env::var_os("VECFERRY_UPDATE").is_some_and(|value| value == "1") {
        fs_err::write(&path, &wanted).expect("write the page");
    }
    let committed = fs_err::read_to_string(&path).expect("the committed page");
    assert!(committed == wanted, "run the tests with VECFERRY_UPDATE=1 and commit docs/{name}");
}

/// Text in a cell of a table.
fn cell(text: &str) -> String {
    text.replace('|', "\\|").replace('\n', " ")
}
