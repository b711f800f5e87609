//! What goes wrong in a run, from the seed.

use std::fmt;
use std::time::Duration;

use super::shape::Shape;
use crate::proxy::{At, Direction, Fault, Kind};
use crate::runs::Seeded;

/// Something that goes wrong.
#[derive(Debug, Clone)]
pub enum Trouble {
    /// On a connection to one of the servers.
    Network(Side, Fault),
    /// SIGKILL to vecferry.
    Kill(When),
    /// SIGTERM to vecferry.
    Terminate(When),
    /// SIGKILL to a server, which is started again on the same data.
    KillServer(Side, When),
    /// No file may grow beyond so many KiB.
    FullDisk(u64),
    /// A file stands where the folder of the state should be.
    NoState,
    /// The wall clock jumps by so many seconds, at so many looks at it.
    Clock(i64, u64),
    /// Somebody starts the same apply a second time.
    Second(When),
}

/// Which of the two servers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Side {
    Source,
    Target,
}

/// When it goes wrong, counted from the start of an attempt.
#[derive(Debug, Clone, Copy)]
pub enum When {
    After(Duration),
    /// As soon as the journal holds so many more records of this type.
    Record(&'static str, u64),
}

/// All kinds. Run after run begins with another one of them, so that none is left out.
pub const KINDS: [&str; 13] = [
    "delay",
    "cut",
    "half delivered",
    "black hole",
    "lost answers",
    "late delivery",
    "vecferry killed",
    "vecferry terminated",
    "server killed",
    "disk full",
    "no state folder",
    "clock jumps",
    "second apply",
];
/// Attempts of a run with something wrong around the process; each takes a second or more.
const MOST_ATTEMPTS: usize = 3;

impl Trouble {
    /// One of [`KINDS`].
    pub fn name(&self) -> &'static str {
        match self {
            Trouble::Network(_, fault) => fault.kind.name(),
            Trouble::Kill(_) => "vecferry killed",
            Trouble::Terminate(_) => "vecferry terminated",
            Trouble::KillServer(..) => "server killed",
            Trouble::FullDisk(_) => "disk full",
            Trouble::NoState => "no state folder",
            Trouble::Clock(..) => "clock jumps",
            Trouble::Second(_) => "second apply",
        }
    }
}

impl fmt::Display for Trouble {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Trouble::Network(side, fault) => write!(f, "{side:?}: {fault}"),
            other => write!(f, "{other:?}"),
        }
    }
}

/// One to five troubles, the first of them of this kind.
pub fn troubles(first: &'static str, shape: &Shape, random: &mut Seeded) -> Vec<Trouble> {
    let mut all = vec![trouble(first, shape, random)];
    for _ in 0..random.below(5) {
        let next = trouble(KINDS[random.below(KINDS.len() as u64) as usize], shape, random);
        let around = |trouble: &Trouble| !matches!(trouble, Trouble::Network(..));
        // A server takes ten seconds to come back, and only servers of their own may be killed.
        let may = !matches!(next, Trouble::KillServer(..))
            && (!around(&next) || all.iter().filter(|trouble| around(trouble)).count() < MOST_ATTEMPTS);
        if may {
            all.push(next);
        }
    }
    // A run ends with the first attempt that succeeds, so what always ends an attempt comes before what it may survive.
    all.sort_by_key(|trouble| match trouble {
        Trouble::KillServer(..) => 1,
        Trouble::Clock(..) | Trouble::Second(_) => 2,
        _ => 0,
    });
    all
}

fn trouble(kind: &str, shape: &Shape, random: &mut Seeded) -> Trouble {
    let network = |random: &mut Seeded, kind: Kind| {
        let side = if random.below(3) == 0 { Side::Source } else { Side::Target };
        let direction = if random.below(2) == 0 { Direction::ToServer } else { Direction::ToClient };
        Trouble::Network(side, Fault { at: place(side, direction, shape, random), direction, kind })
    };
    match kind {
        "delay" => {
            let kind = Kind::Delay(Duration::from_millis(100 + random.below(2_000)));
            network(random, kind)
        }
        "cut" => network(random, Kind::Cut),
        "half delivered" => network(random, Kind::HalfDeliver),
        "black hole" => {
            let kind = Kind::BlackHole(Duration::from_millis(500 + random.below(4_500)));
            network(random, kind)
        }
        "lost answers" => network(random, Kind::LoseAnswers),
        "late delivery" => {
            let held = 1 + random.below(shape.splits());
            // Right behind the upsert that replaced it, or as late as the mending of the proof.
            let writes = if random.below(2) == 0 { 1 + random.below(3) } else { shape.splits() - held + 1 };
            let kind = Kind::HoldBack { writes };
            Trouble::Network(Side::Target, Fault { at: At::Write(held), direction: Direction::ToServer, kind })
        }
        "vecferry killed" => Trouble::Kill(when(shape, random)),
        "vecferry terminated" => Trouble::Terminate(when(shape, random)),
        "server killed" => {
            let side = if random.below(3) == 0 { Side::Source } else { Side::Target };
            // Its runs are few and slow, so it has to strike in each.
            let when = match random.below(2) {
                0 => When::After(Duration::from_millis(300 + random.below(2_000))),
                _ => When::Record("phase", 1 + random.below(3)),
            };
            Trouble::KillServer(side, when)
        }
        // A journal has some 2 KiB, and 400 bytes for each split.
        "disk full" => Trouble::FullDisk(1 + random.below(1 + shape.splits() * 2 / 5)),
        "no state folder" => Trouble::NoState,
        "clock jumps" => {
            const YEAR: i64 = 365 * 24 * 3600;
            let shifts = [-10 * YEAR, -YEAR, -3600, -2, 2, 3600, YEAR, 100 * YEAR];
            Trouble::Clock(shifts[random.below(shifts.len() as u64) as usize], 1 + random.below(60))
        }
        "second apply" => Trouble::Second(when(shape, random)),
        other => unreachable!("no kind {other}"),
    }
}

/// Where on a connection. Most of the bytes to the target are rows, and so are most of those from the source.
fn place(side: Side, direction: Direction, shape: &Shape, random: &mut Seeded) -> At {
    let rows = shape.rows * shape.row_bytes();
    let bytes = match (side, direction) {
        (Side::Target, Direction::ToServer) | (Side::Source, Direction::ToClient) => rows,
        (Side::Target, Direction::ToClient) => rows / 2,
        (Side::Source, Direction::ToServer) => 200 * shape.splits(),
    };
    match random.below(4) {
        0 | 1 => At::Byte(1 + random.below(bytes)),
        2 if side == Side::Target => At::Write(1 + random.below(shape.splits())),
        _ => At::Request(1 + random.below(20 + 2 * shape.splits())),
    }
}

fn when(shape: &Shape, random: &mut Seeded) -> When {
    match random.below(8) {
        0..4 => When::After(Duration::from_millis(random.below(4_000))),
        4 | 5 => When::Record("phase", 1 + random.below(8)),
        6 => When::Record("started", 1 + random.below(shape.splits())),
        _ => When::Record("done", 1 + random.below(shape.splits())),
    }
}
