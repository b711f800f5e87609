//! `vecferry init`: what a new repository of plans begins with.

use std::path::{Path, PathBuf};

use clap::Args;
use serde_json::json;

use super::exit_code::ExitCode;
use super::{Context, Output, new_file, session};
use crate::plan::PLAN_SCHEMA;

/// The files, by their places in the folder. The workflow is the one of `examples/ci`, so that there is one of it.
const FILES: [(&str, &str); 5] = [
    ("plans/example.yaml", include_str!("../../examples/init/plan.yaml")),
    ("schemas/plan.v1.schema.json", PLAN_SCHEMA),
    ("vecferry.toml", include_str!("../../examples/init/settings.toml")),
    (".gitignore", include_str!("../../examples/init/gitignore")),
    (".github/workflows/vecferry.yml", include_str!("../../examples/ci/vecferry.yml")),
];

/// Begins a repository of plans: an example plan, vecferry.toml, what Git leaves out, and a workflow for change requests.
///
/// A file that is there is left as it is, so it is safe to run again.
#[derive(Debug, Args)]
pub(super) struct InitArgs {
    /// The folder; it is made if there is none.
    #[arg(value_name = "DIR", default_value = ".")]
    folder: PathBuf,
}

pub(super) fn run(arguments: &InitArgs, context: &Context) -> ExitCode {
    let (mut made, mut kept) = (Vec::new(), Vec::new());
    for (name, text) in FILES {
        match place(&arguments.folder.join(name), text) {
            Ok(true) => made.push(name),
            Ok(false) => kept.push(name),
            Err(error) => {
                let help = "what was made so far stays; run it again once this is put right";
                session::say(&format!("can't make `{name}`: {error}"), help, context);
                return ExitCode::Failure;
            }
        }
    }
    let text = match context.output {
        Output::Json => session::answer(json!({ "made": made, "kept": kept })),
        Output::Text | Output::Markdown => {
            let line = |word: &str, name: &&str| format!("{word} {name}\n");
            made.iter().map(|name| line("made", name)).chain(kept.iter().map(|name| line("kept", name))).collect()
        }
    };
    if let Err(code) = session::data(&text, context) {
        return code;
    }
    if kept.contains(&".gitignore") {
        context.printer.note("\nSee that .gitignore leaves out `.vecferry/` and `*.vfplan.json`.\n");
    }
    context.printer.note(&format!("\nNext{}:\n", within(&arguments.folder)));
    context.printer.note(
        "  Fill plans/example.yaml in; or remove it, and have a plan written from a live cluster:\n  \
           vecferry inspect --uri http://OLD:19530 --to-uri http://NEW:19530 --out plans/first.yaml\n  \
           vecferry validate plans\n  vecferry plan plans\n",
    );
    ExitCode::Success
}

/// Makes a file with the folders above it, and says whether it was made: one that is there is left alone.
fn place(file: &Path, text: &str) -> Result<bool, String> {
    if fs_err::symlink_metadata(file).is_ok() {
        return Ok(false);
    }
    if let Some(folder) = file.parent() {
        fs_err::create_dir_all(folder).map_err(|error| error.to_string())?;
    }
    new_file::write(file, text, false).map(|()| true).map_err(|error| error.to_string())
}

fn within(folder: &Path) -> String {
    if folder == Path::new(".") { String::new() } else { format!(", in {}", folder.display()) }
}
