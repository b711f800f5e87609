//! `vecferry unlock`: frees locks whose owner cannot be seen from here and is gone for good.

use clap::Args;

use super::exit_code::ExitCode;
use super::{Context, Output, session};
use crate::flow::stored;
use crate::render::{count, harmless};
use crate::state::{Holder, StateError, Store};

/// Frees the locks of a run on another machine that shares the state, once you know that it is gone for good.
///
/// On this machine nothing needs to be freed: locks of processes that ended are taken over, and those of processes that live
/// are kept.
#[derive(Debug, Args)]
pub(super) struct UnlockArgs {
    /// The run that has the lock, as the message about it says, or the job that is locked.
    #[arg(value_name = "ID")]
    id: String,
    #[command(flatten)]
    place: session::StateArgs,
    /// Do not ask before acting.
    #[arg(long)]
    auto_approve: bool,
}

pub(super) fn run(arguments: &UnlockArgs, context: &Context) -> ExitCode {
    let store = match session::state_store(&arguments.place, context) {
        Ok(store) => store,
        Err(code) => return code,
    };
    unlock(arguments, &store, context).unwrap_or_else(|error| session::say_state_error(&error, context))
}

fn unlock(arguments: &UnlockArgs, store: &Store, context: &Context) -> Result<ExitCode, StateError> {
    let locks = stored::locks(store, &arguments.id)?;
    for (id, holder) in &locks {
        match holder {
            Holder::Alive(owner) => {
                let message = format!("{id} is locked by {}, which lives", harmless(&owner.to_string()));
                let help =
                    format!("wait until it has ended, or stop it with `vecferry cancel {}`", harmless(&owner.run));
                session::say(&message, &help, context);
                return Ok(ExitCode::Locked);
            }
            Holder::Unseen(owner) => {
                context.printer.important(&format!("{id} is locked by {}\n", harmless(&owner.to_string())));
            }
            Holder::Nobody => {}
        }
    }
    context.printer.important(
        "Whether that process still lives cannot be seen from here. If it does, and its lock is freed, two runs write to one \
         collection at a time and rows may be doubled.\n",
    );
    if !arguments.auto_approve && !session::approved(context) {
        return Ok(ExitCode::Failure);
    }
    let mut freed = Vec::new();
    for (id, holder) in &locks {
        if let Some(owner) = holder.owner() {
            stored::unlock(store, id, owner)?;
            freed.push(id.to_string());
        }
    }
    let text = match context.output {
        Output::Json => session::answer(serde_json::json!({ "unlocked": freed })),
        Output::Text | Output::Markdown => {
            format!("Freed {}. The next apply goes on with what was written.\n", count(freed.len(), "lock"))
        }
    };
    Ok(session::data(&text, context).err().unwrap_or(ExitCode::Success))
}
