use super::Style;
use crate::diff::ChangeSet;
pub fn text(c: &ChangeSet, _: Style) -> String {
    let mut s = String::new();
    for e in &c.entries {
        s += &format!(
            "{:?} {:?} {} rows {:?} -> target {:?} copy {} lost {}\n",
            e.action, e.work, e.seen.address, e.seen.source_rows, e.seen.target_rows, e.rows_to_copy, e.rows_lost
        );
        for l in &e.lines {
            s += &format!("   {:?} {} {} {:?} {:?} {:?}\n", l.sign, l.topic, l.name, l.before, l.after, l.reason);
        }
        for n in e.blocked.iter().chain(&e.warnings).chain(&e.notes) {
            s += &format!("   ! {:?} {:?} {}\n", n.code, n.field, n.message);
        }
        if let Some(d) = &e.seen.row_diff {
            s += &format!("   {d:?}\n");
        }
    }
    s + &format!("{}\n", c.summary())
}
pub fn markdown(c: &ChangeSet) -> String {
    text(c, Style { color: false, width: 80 })
}
pub fn json(_: &ChangeSet) -> serde_json::Value {
    serde_json::Value::Null
}
