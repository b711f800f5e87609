//! What can go wrong on a connection, as data: a seed makes a list of these, and a report says which of them struck.

use std::fmt;
use std::time::Duration;

/// One thing that goes wrong, once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Fault {
    pub at: At,
    pub direction: Direction,
    pub kind: Kind,
}

/// When it strikes. Everything is counted over all connections of a proxy, from one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum At {
    /// At this byte of its direction.
    Byte(u64),
    /// At the first byte of this request; on the way back, at the first byte that the server sends after it.
    Request(u64),
    /// At the last byte of this large request, which is one that writes rows: without it the server does nothing. On the way
    /// back, at the first byte that the server sends after it.
    Write(u64),
}

/// What it strikes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Direction {
    /// What the client sends.
    ToServer,
    /// What the server sends.
    ToClient,
}

/// What happens.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Everything in this direction waits.
    Delay(Duration),
    /// What was just read is lost, and the connection is closed to both sides.
    Cut,
    /// What was just read arrives up to the place of the fault, and then the connection is closed to both sides.
    HalfDeliver,
    /// Nothing passes any more and nothing is closed, on this connection and on all that are opened meanwhile. At the end of
    /// it they are closed.
    BlackHole(Duration),
    /// What the client sends still reaches the server, and no answer comes back before the connection is closed.
    LoseAnswers,
    /// The end of the request is kept, so that the server does nothing yet, and the client is cut off. It is delivered on the
    /// connection that the server still holds open, right before as many further large requests as this have passed. The
    /// last of them waits until the server has answered the late one, so that their order is no matter of luck.
    HoldBack { writes: u64 },
}

impl Kind {
    /// One word for it.
    pub fn name(self) -> &'static str {
        match self {
            Kind::Delay(_) => "delay",
            Kind::Cut => "cut",
            Kind::HalfDeliver => "half delivered",
            Kind::BlackHole(_) => "black hole",
            Kind::LoseAnswers => "lost answers",
            Kind::HoldBack { .. } => "late delivery",
        }
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let way = match self.direction {
            Direction::ToServer => "to the server",
            Direction::ToClient => "to the client",
        };
        write!(f, "{:?} {way} at {:?}", self.kind, self.at)
    }
}
