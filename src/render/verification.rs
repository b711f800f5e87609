use super::Style;
use crate::run::Verified;
pub fn text(r: &[Verified], _: Style) -> String {
    r.iter().map(|r| format!("{} {:?}\n", r.address, r.result)).collect()
}
pub fn markdown(r: &[Verified]) -> String {
    text(r, Style { color: false, width: 80 })
}
pub fn json(_: &[Verified]) -> serde_json::Value {
    serde_json::json!({})
}
