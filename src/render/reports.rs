use super::Style;
use crate::diff::Entry;
use crate::run::Report;
pub fn text(r: &[Report], b: &[&Entry], _: Style) -> String {
    r.iter().map(|r| format!("{} {:?} {:?} {:?}\n", r.address, r.work, r.result, r.took)).collect::<String>()
        + &format!("blocked {}\n", b.len())
}
pub fn markdown(r: &[Report], b: &[&Entry]) -> String {
    text(r, b, Style { color: false, width: 80 })
}
pub fn json(_: &[Report], _: &[&Entry]) -> serde_json::Value {
    serde_json::json!({})
}
