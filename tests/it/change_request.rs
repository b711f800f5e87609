//! A whole change request, as a team and its CI play it.

use std::process::Command;

use crate::servers::{python, root, source, target};
use crate::support::{Workspace, assert_identical, database, fill, place};

#[test]
fn a_change_request_is_reviewed_refused_reviewed_again_and_applied() {
    let name = database("request");
    let (from, to) = (place(source(), &name, "small"), place(target(), &name, "small"));
    fill(&from, "small", &[]);
    let work = Workspace::new();
    let repository = work.path().join("repository");
    std::fs::create_dir(&repository).unwrap();
    let (python, fill) = (python().display().to_string(), root().join("tests/support/fill.py"));
    let meddle =
        format!("{python} {} {} --db {name} --collection small --preset small --rows 7", fill.display(), to.uri);
    let output = Command::new(root().join("tests/support/change_request.sh"))
        .arg(&repository)
        .env("VECFERRY", env!("CARGO_BIN_EXE_vecferry"))
        .env("OLD", &from.uri)
        .env("NEW", &to.uri)
        .env("DATABASE", &name)
        .env("MEDDLE", meddle)
        .env("HOME", work.path())
        .env("NO_COLOR", "1")
        .output()
        .expect("bash runs the script");
    let said = [output.stdout, output.stderr].map(|bytes| String::from_utf8_lossy(&bytes).into_owned());
    assert!(output.status.success(), "{}", said.concat());
    assert!(said[0].ends_with("the change request was played to its end\n"), "{said:?}");
    assert_identical(&from, &to, &[]);
}
