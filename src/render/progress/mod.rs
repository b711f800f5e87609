//! What is going on while it goes on: bars on a terminal, a line a minute elsewhere, events for machines on request. The
//! only part of this room that draws, and it draws on stderr, because stdout is data.

mod bars;
mod events;
mod lines;
mod tracker;

use std::io::Write;
use std::sync::mpsc::{self, RecvTimeoutError, Sender};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use crate::run::{Event, Observer};
#[cfg(test)]
pub(super) use events::Line;
use tracker::Tracker;

/// Overrides how many seconds pass between two lines, or between two progress events of a collection.
const EVERY: &str = "VECFERRY_PROGRESS_SECONDS";

/// How progress is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// Bars that are drawn over and over; for a terminal.
    Bars,
    /// A line for what begins and ends, and one now and then; for logs.
    Lines,
    /// One JSON object a line; for machines.
    Json,
    /// Not at all.
    Hidden,
}

impl Mode {
    /// Time between two reports, unless somebody wants another.
    fn usual_pause(self) -> Duration {
        match self {
            Self::Lines => Duration::from_secs(60),
            Self::Bars | Self::Json | Self::Hidden => Duration::from_secs(1),
        }
    }
}

/// What is known before anything begins.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Expected {
    /// Collections with work.
    pub collections: usize,
    /// Rows to copy, as far as it is known.
    pub rows: u64,
}

/// Tells of a run while it runs.
pub struct Progress {
    shared: Option<Arc<Mutex<Shared>>>,
    ticker: Mutex<Option<Ticker>>,
}

struct Shared {
    tracker: Tracker,
    sink: Box<dyn Sink>,
}

/// One way of telling.
trait Sink: Send {
    /// Something happened, and the tracker knows of it already. `first` is set with the first event of a collection.
    fn event(&mut self, tracker: &Tracker, address: &str, event: &Event, first: bool, now: Instant);
    /// Some time passed.
    fn tick(&mut self, tracker: &Tracker, now: Instant);
    /// Nothing more will come.
    fn finish(&mut self, tracker: &Tracker, now: Instant);
}

/// A thread that keeps telling while nothing happens, so that a server that hangs looks different from a program that does.
struct Ticker {
    stop: Sender<()>,
    thread: JoinHandle<()>,
}

impl Ticker {
    fn start(shared: &Arc<Mutex<Shared>>, every: Duration) -> Option<Self> {
        let (stop, stopped) = mpsc::channel();
        let shared = Arc::clone(shared);
        let thread = std::thread::Builder::new().name("progress".to_owned()).spawn(move || {
            while stopped.recv_timeout(every) == Err(RecvTimeoutError::Timeout) {
                with(&shared, |shared| shared.sink.tick(&shared.tracker, Instant::now()));
            }
        });
        // Without a thread there are only events to go by, which is no reason to fail.
        Some(Self { stop, thread: thread.ok()? })
    }
}

/// A poisoned lock means that a thread died while it told something; the rest can still be told.
fn with(shared: &Mutex<Shared>, tell: impl FnOnce(&mut Shared)) {
    tell(&mut shared.lock().unwrap_or_else(PoisonError::into_inner));
}

impl Progress {
    /// Progress on stderr.
    pub fn new(mode: Mode, expected: Expected) -> Self {
        let wanted = std::env::var(EVERY).ok().and_then(|seconds| seconds.parse().ok()).filter(|seconds| *seconds > 0);
        let every = wanted.map_or_else(|| mode.usual_pause(), Duration::from_secs);
        let progress = Self::with_output(mode, expected, every, Box::new(std::io::stderr()));
        if let Some(shared) = &progress.shared {
            let pause = if mode == Mode::Bars { mode.usual_pause() } else { every };
            *progress.ticker.lock().unwrap_or_else(PoisonError::into_inner) = Ticker::start(shared, pause);
        }
        progress
    }

    /// Progress on `out`, told by events alone. Bars are always drawn on stderr.
    pub fn with_output(mode: Mode, expected: Expected, every: Duration, out: Box<dyn Write + Send>) -> Self {
        let now = Instant::now();
        let sink: Option<Box<dyn Sink>> = match mode {
            Mode::Bars => Some(Box::new(bars::Bars::new())),
            Mode::Lines => Some(Box::new(lines::Lines::new(Output(out), every, now))),
            Mode::Json => Some(Box::new(events::Events::new(Output(out), every))),
            Mode::Hidden => None,
        };
        let shared = sink.map(|sink| Arc::new(Mutex::new(Shared { tracker: Tracker::new(expected, now), sink })));
        Self { shared, ticker: Mutex::new(None) }
    }

    /// Ends the telling and takes the bars away. To be called before anything else is written to the terminal; what comes
    /// after it is not told.
    pub fn finish(&self) {
        let ticker = self.ticker.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(ticker) = ticker {
            drop(ticker.stop);
            let _died = ticker.thread.join();
        }
        if let Some(shared) = &self.shared {
            with(shared, |shared| {
                if shared.tracker.finish() {
                    shared.sink.finish(&shared.tracker, Instant::now());
                }
            });
        }
    }

    fn event_at(&self, address: &str, event: &Event, now: Instant) {
        let Some(shared) = &self.shared else { return };
        with(shared, |shared| {
            if let Some(first) = shared.tracker.apply(address, event, now) {
                shared.sink.event(&shared.tracker, address, event, first, now);
            }
        });
    }
}

impl Observer for Progress {
    fn event(&self, address: &str, event: &Event) {
        self.event_at(address, event, Instant::now());
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        self.finish();
    }
}

/// Where lines go.
struct Output(Box<dyn Write + Send>);

impl Output {
    /// Writes a whole line at once, whether or not anybody listens: progress that cannot be told is no reason to stop.
    fn line(&mut self, line: &str) {
        let _unheard = self.0.write_all(format!("{line}\n").as_bytes()).and_then(|()| self.0.flush());
    }
}

#[cfg(test)]
mod tests;
