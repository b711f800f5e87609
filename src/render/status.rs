use super::Style;
pub struct StatusEntry {
    pub id: String,
    pub job: Result<crate::state::Job, String>,
    pub running: bool,
}
pub fn text(e: &[StatusEntry], _: jiff::Timestamp, _: Style) -> String {
    e.iter()
        .map(|e| {
            format!(
                "{} {} {:?}\n",
                e.id,
                e.running,
                e.job.as_ref().map(|j| (j.outcome, j.phase.clone(), j.splits_done()))
            )
        })
        .collect()
}
pub fn markdown(e: &[StatusEntry], t: jiff::Timestamp) -> String {
    text(e, t, Style { color: false, width: 80 })
}
pub fn json(_: &[StatusEntry], _: jiff::Timestamp) -> serde_json::Value {
    serde_json::json!({})
}
