//! What the entries of one change set mean for each other. They are carried out side by side, so none may read what another one
//! is writing: rows of before and of after would arrive together. Nor could that be planned at once, because what is read is not
//! there yet.

use std::collections::HashMap;

use super::{Action, ChangeSet, Note, Place, Work};
use crate::diagnostic::Code;

impl ChangeSet {
    /// Blocks each collection whose source another entry is about to write. Once that is done, the same plan does the rest. (An
    /// alias that is switched to a target cannot be the name of a source: the plan's rules see to that.)
    pub fn hold_back_readers(&mut self) {
        let writers = self.entries.iter().filter(|entry| !matches!(entry.work, Work::None | Work::Touch));
        let written: HashMap<Place, String> =
            writers.map(|entry| (entry.seen.to.clone(), entry.seen.address.clone())).collect();
        for entry in &mut self.entries {
            let Some(writer) = written.get(&entry.seen.from) else { continue };
            let message = format!("its source is being written by {writer}, in the same apply");
            let note = Note::new(Code::SourceBeingWritten, message);
            // What is complete says so again, or that it drifted, when it is looked at next.
            if entry.action == Action::Unchanged {
                entry.warnings.push(note.help("plan again once that is done"));
                continue;
            }
            // That there is no such collection yet goes without saying.
            entry.blocked.retain(|reason| reason.code != Code::SourceMissing);
            entry
                .blocked
                .push(note.help("apply the same plan once more when that is done, or leave one of the two out"));
            (entry.action, entry.work) = (Action::Blocked, Work::None);
            (entry.rows_to_copy, entry.rows_lost) = (0, 0);
        }
    }
}
