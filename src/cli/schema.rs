//! `vecferry schema`: the JSON Schema of plan files, for editors and other validators.

use clap::Args;

use super::exit_code::ExitCode;
use super::{Context, session};
use crate::plan;

/// Prints the JSON Schema of plan files.
#[derive(Debug, Args)]
pub(super) struct SchemaArgs {}

pub(super) fn run(_: &SchemaArgs, context: &Context) -> ExitCode {
    session::data(plan::PLAN_SCHEMA, context).err().unwrap_or(ExitCode::Success)
}
