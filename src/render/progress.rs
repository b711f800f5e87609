use crate::run::{Event, Observer};
use std::io::Write;
pub enum Mode {
    Bars,
    Lines,
    Json,
    Hidden,
}
pub struct Progress(std::sync::Mutex<Box<dyn Write + Send>>);
impl Progress {
    pub fn new(_: Mode, w: Box<dyn Write + Send>) -> Self {
        Self(std::sync::Mutex::new(w))
    }
    pub fn finish(&self) {}
}
impl Observer for Progress {
    fn event(&self, a: &str, e: &Event) {
        let _ = writeln!(self.0.lock().unwrap_or_else(|e| e.into_inner()), "{a} {e:?}");
    }
}
