//! What goes wrong in a run, and when: a list of troubles, each at the n-th call to a cluster.

use proptest::prelude::*;

use crate::cluster::ErrorKind;

/// Calls among which troubles fall. A run without trouble makes some forty.
const CALLS: u32 = 90;
/// Most troubles of one sequence.
const MOST: usize = 7;

/// What can happen to a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Trouble {
    /// It fails, and nothing was done.
    Fails(ErrorKind),
    /// All was done, and the answer is lost.
    AnswerLost,
    /// A write reaches so many of its rows, and the answer is lost.
    Partial(usize),
    /// It fails, and what it was to do is done so many calls later.
    Late(u32),
    /// The process dies before it.
    DiesBefore,
    /// The process dies when all was done and before it hears of that.
    DiesAfter,
    /// A bug shows. No script at random has one, because each prints where it was.
    Panics,
    /// Somebody asks the run to stop.
    Stop,
    /// Somebody drops the target and makes another collection of its name.
    Stranger,
    /// Somebody adds a row to the target. No script at random has one, because where a plan lets such rows be, so they are.
    TargetGrows,
    /// Somebody adds a row to the source.
    SourceGrows(u8),
    /// Somebody deletes a row of the source.
    SourceShrinks(u8),
    /// Somebody changes a row of the source.
    SourceChanges(u8),
}

/// Troubles by the number of the call that they happen to.
pub type Script = Vec<(u32, Trouble)>;

/// Scripts.
pub fn script() -> impl Strategy<Value = Script> {
    prop::collection::vec((0..CALLS, trouble()), 0..=MOST)
}

fn trouble() -> impl Strategy<Value = Trouble> {
    let kind = prop_oneof![
        3 => Just(ErrorKind::Transient),
        2 => Just(ErrorKind::Unreachable),
        2 => Just(ErrorKind::RateLimited),
        2 => Just(ErrorKind::TooLarge),
        1 => Just(ErrorKind::Refused),
    ];
    prop_oneof![
        4 => kind.prop_map(Trouble::Fails),
        4 => Just(Trouble::AnswerLost),
        4 => (0_usize..6).prop_map(Trouble::Partial),
        5 => (1_u32..40).prop_map(Trouble::Late),
        4 => Just(Trouble::DiesBefore),
        4 => Just(Trouble::DiesAfter),
        1 => Just(Trouble::Stop),
        1 => Just(Trouble::Stranger),
        1 => any::<u8>().prop_map(Trouble::SourceGrows),
        1 => any::<u8>().prop_map(Trouble::SourceShrinks),
        1 => any::<u8>().prop_map(Trouble::SourceChanges),
    ]
}
