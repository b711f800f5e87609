//! Saving what was decided, and holding it against what is there when it is carried out.

use std::path::Path;

use super::{Depth, FlowError, Selecting, View, Waiting, look};
use crate::plan::{Loaded, Settings, StatePlace};
use crate::saved::{Contents, Difference, LiteralSecret, Pin, SavedPlan, differences};

/// What was looked at and decided, to be carried out later. `state` is where the state is.
///
/// # Errors
///
/// Where a plan holds a secret itself.
pub fn save(view: &View, state: StatePlace, scanned: bool) -> Result<SavedPlan, LiteralSecret> {
    SavedPlan::new(Contents {
        state,
        scanned,
        plans: &view.plans,
        diff: view.diff(),
        pins: view.changes.entries.iter().map(Pin::of).collect(),
    })
}

/// Looks at everything that a saved plan is about once more, and says what is not as it was when it was saved. Only where nothing
/// differs may it be carried out.
///
/// # Errors
///
/// Why a cluster or the state could not be looked at.
pub async fn look_again(
    saved: &SavedPlan,
    file: &Path,
    memory: u64,
    waiting: Option<&Waiting<'_>>,
) -> Result<(View, Vec<Difference>), FlowError> {
    let depth = if saved.scanned { Depth::Everything } else { Depth::Rows };
    let settings = Settings { memory, ..Settings::with_state(saved.state.clone()) };
    let loaded = Loaded { plans: saved.plans(file), settings, warnings: Vec::new() };
    let mut view = look(loaded, depth, &Selecting::All, waiting).await?;
    let found = differences(saved, &view.changes);
    view.saved_plan = Some(saved.checksum().to_owned());
    view.not_selected.clone_from(&saved.not_selected);
    Ok((view, found))
}
