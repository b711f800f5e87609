//! Runs whose state lies in a bucket: each process starts with nothing, and the way to the store is as bad as the others.

use std::time::Duration;

use super::trouble::Trouble;
use crate::bucket::Prefix;
use crate::proxy::{At, Direction, Fault, Kind, Proxy};
use crate::runs::Seeded;
use crate::servers::s3;
use crate::support::Workspace;

/// The state of one run, behind a proxy at which things go wrong.
pub struct Afar {
    pub at: Prefix,
    proxy: Proxy,
}

impl Afar {
    /// Whether a run with these troubles may have its state there. Those of a folder mean nothing to a bucket, and what is
    /// signed under a wrong time is refused, which no repetition changes.
    pub fn may(troubles: &[Trouble]) -> bool {
        let of_a_folder =
            |trouble: &Trouble| matches!(trouble, Trouble::FullDisk(_) | Trouble::NoState | Trouble::Clock(..));
        !troubles.iter().any(of_a_folder)
    }

    /// A bucket for the run with this number, and the settings that name it.
    pub fn prepare(number: u64, random: &mut Seeded) -> (Afar, Workspace) {
        let faults: Vec<Fault> = (0..random.below(4)).map(|_| fault(random)).collect();
        let proxy = Proxy::start(s3().uri(), &faults);
        let at = Prefix::new(&format!("torture-{number}"), proxy.uri(), s3().uri());
        let work = at.workspace("90s");
        (Afar { at, proxy }, work)
    }

    /// The faults that struck, by their names.
    pub fn struck(&self) -> Vec<&'static str> {
        self.proxy.struck().iter().map(|fault| fault.kind.name()).collect()
    }

    pub fn calm(&self) {
        self.proxy.calm();
    }
}

/// Somewhere in what a run says to the store, and what that answers.
fn fault(random: &mut Seeded) -> Fault {
    let kind = match random.below(5) {
        0 => Kind::Delay(Duration::from_millis(100 + random.below(1_500))),
        1 => Kind::Cut,
        2 => Kind::HalfDeliver,
        3 => Kind::BlackHole(Duration::from_millis(300 + random.below(2_500))),
        _ => Kind::LoseAnswers,
    };
    let (direction, bytes) = match random.below(2) {
        0 => (Direction::ToServer, 60_000),
        _ => (Direction::ToClient, 25_000),
    };
    Fault { at: At::Byte(1 + random.below(bytes)), direction, kind }
}
