use super::*;
use crate::render::schemas::{self, tests as schema};

/// A place to write to that can be read afterwards.
#[derive(Clone, Default)]
struct Kept(Arc<Mutex<Vec<u8>>>);

impl Write for Kept {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().write(bytes)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

impl Kept {
    fn text(&self) -> String {
        String::from_utf8(self.0.lock().unwrap().clone()).unwrap()
    }
}

const A: &str = "kb.main.articles";
const B: &str = "kb.main.\u{1b}[2Jusers";

/// A short run: one collection that goes on from an earlier attempt and succeeds, one that fails.
fn play(mode: Mode, every: u64) -> String {
    let kept = Kept::default();
    let expected = Expected { collections: 3, rows: 300_000 };
    let progress = Progress::with_output(mode, expected, Duration::from_secs(every), Box::new(kept.clone()));
    let start = Instant::now();
    let tell = |second: u64, address, event| progress.event_at(address, &event, start + Duration::from_secs(second));
    tell(0, A, Event::Phase("creating"));
    tell(1, A, Event::Begun { done: 100_000, total: 200_000, row_bytes: 400 });
    tell(1, A, Event::Phase("copying"));
    tell(2, B, Event::Begun { done: 0, total: 50_000, row_bytes: 400 });
    tell(11, A, Event::Rows(10_000));
    tell(11, A, Event::Rows(10_000));
    tell(31, A, Event::Retried("deadline\nexceeded".into()));
    tell(61, B, Event::Rows(10));
    tell(62, A, Event::Phase("indexing"));
    tell(63, A, Event::Indexing(50, 100));
    tell(64, B, Event::Failed("refused\u{1b}[31m".into()));
    tell(65, A, Event::Succeeded);
    tell(66, A, Event::Rows(5));
    progress.finish();
    tell(67, B, Event::Rows(5));
    progress.finish();
    kept.text()
}

#[test]
fn lines_tell_of_begin_and_end_and_a_minute() {
    insta::assert_snapshot!(play(Mode::Lines, 60));
}

#[test]
fn machines_get_an_object_a_line() {
    let told = play(Mode::Json, 1);
    let mut lines = Vec::new();
    for line in told.lines() {
        let mut object: serde_json::Value = serde_json::from_str(line).expect("JSON");
        schema::assert_fits(schemas::EVENTS, &object);
        let at = object["@timestamp"].take();
        assert!(at.as_str().is_some_and(|at| at.parse::<jiff::Timestamp>().is_ok()), "{at}");
        if object["type"] == "version" {
            object["tool"].take();
            object["@message"].take();
        }
        lines.push(object.to_string());
    }
    insta::assert_snapshot!(lines.join("\n"));
}

/// Its words are told as they come, and on lines only that it waits for very long.
#[test]
fn a_job_of_the_migration_service_is_told_in_its_words() {
    let told = |mode| {
        let kept = Kept::default();
        let every = Duration::from_secs(60);
        let progress = Progress::with_output(mode, Expected::default(), every, Box::new(kept.clone()));
        let start = Instant::now();
        let says = |second: u64, word: &str, percent, waits| {
            let event = Event::Service { job: "job-\u{1b}1".into(), word: word.into(), percent, waits };
            progress.event_at(A, &event, start + Duration::from_secs(second));
        };
        says(1, "PENDING", None, false);
        says(2, "PENDING", None, true);
        says(3, "REBALANCING", Some(40), false);
        says(70, "REBALANCING", Some(41), false);
        kept.text()
    };
    let lines = told(Mode::Lines);
    assert_eq!(lines.matches("PENDING for long").count(), 1, "{lines}");
    assert!(lines.contains("REBALANCING 41 %") && !lines.contains('\u{1b}'), "{lines}");
    let events: Vec<serde_json::Value> =
        told(Mode::Json).lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    events.iter().for_each(|event| schema::assert_fits(schemas::EVENTS, event));
    let jobs: Vec<_> = events.iter().filter(|event| event["type"] == "service_job").collect();
    assert_eq!(jobs.len(), 4);
    assert_eq!(
        (&jobs[2]["state"], &jobs[2]["percent"], &jobs[1]["waits"]),
        (&"REBALANCING".into(), &40.into(), &true.into())
    );
}

#[test]
fn nothing_is_told_where_nobody_listens() {
    assert_eq!(play(Mode::Hidden, 1), "");
    assert_eq!(play(Mode::Bars, 1), "", "bars are drawn on a terminal only");
}

#[test]
fn a_thread_that_died_while_it_told_stops_nobody() {
    let kept = Kept::default();
    let progress =
        Progress::with_output(Mode::Lines, Expected::default(), Duration::from_secs(60), Box::new(kept.clone()));
    let shared = Arc::clone(progress.shared.as_ref().unwrap());
    let died = std::thread::spawn(move || {
        let _held = shared.lock().unwrap();
        panic!("on purpose");
    });
    assert!(died.join().is_err());
    progress.event(A, &Event::Begun { done: 0, total: 1, row_bytes: 1 });
    assert_eq!(kept.text(), "kb.main.articles: begun, 1 row\n");
}

/// A stderr that is closed, or a pipe without a reader.
struct Deaf;

impl Write for Deaf {
    fn write(&mut self, _: &[u8]) -> std::io::Result<usize> {
        Err(std::io::ErrorKind::BrokenPipe.into())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Err(std::io::ErrorKind::BrokenPipe.into())
    }
}

#[test]
fn a_listener_that_went_away_stops_nobody() {
    let progress = Progress::with_output(Mode::Json, Expected::default(), Duration::from_secs(1), Box::new(Deaf));
    progress.event(A, &Event::Succeeded);
}
