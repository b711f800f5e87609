//! Keys that the source holds twice, and keys that it counts and never returns.

use crate::servers::{source, target};
use crate::support::{Workspace, act, assert_identical, compare, database, fill, place};

#[test]
fn doubled_keys_arrive_once_and_are_counted_everywhere() {
    let name = database("doubled");
    let (from, to) = (place(source(), &name, "doubled"), place(target(), &name, "doubled"));
    fill(&from, "duplicates", &["--rows", "20000"]);
    assert_eq!(act(&from, "count", &[]), 20_100);
    let work = Workspace::new();
    work.plan((source(), &name), (target(), &name), "- source: doubled\n  indexes: copy");
    work.look().ended(2).says(&["holds 100 rows of keys"]);
    work.apply().ended(0).says(&["100"]);
    assert_eq!(act(&to, "count", &[]), 20_000);
    // Which copy of a doubled key the source returns may differ from one reading to the next, so its fields may differ too.
    let found = compare(&from, &to, &["--allow-duplicates", "--drop", "copy"]);
    assert!(found.identical, "{}", found.text);
    work.run(&["verify", "--level", "counts", "plan.yaml"]).ended(0).says(&["100"]);
    work.look().ended(0).says(&["1 unchanged"]);
}

#[test]
fn a_key_that_is_counted_and_never_returned_is_named() {
    let name = database("limits");
    let (from, to) = (place(source(), &name, "limits"), place(target(), &name, "limits"));
    fill(&from, "int_extremes", &["--rows", "300", "--with-limits"]);
    let work = Workspace::new();
    work.plan((source(), &name), (target(), &name), "- source: limits\n  indexes: none");
    work.look().ended(3).says(&["9223372036854775807", "where"]);
    work.apply().ended(3).says(&["9223372036854775807"]);
    assert!(!act(&to, "databases", &[]).to_string().contains(&name), "something was made for a blocked entry");

    // What the message says to do about it works, and the smallest key travels.
    let without = "id < 9223372036854775807";
    let entry = format!("- source: limits\n  indexes: none\n  where: \"{without}\"");
    work.plan((source(), &name), (target(), &name), &entry);
    work.apply().ended(0);
    assert_eq!(act(&to, "count", &[]), 301);
    assert_identical(&from, &to, &["--where", without]);
}
