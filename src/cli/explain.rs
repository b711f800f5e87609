//! `vecferry explain`: the long text of a code.

use clap::Args;
use serde_json::json;

use super::exit_code::ExitCode;
use super::{Context, Output, session};
use crate::diagnostic::{Code, CodeInfo};

/// Explains the code of a message, such as VF0301; without one, lists all codes.
#[derive(Debug, Args)]
pub(super) struct ExplainArgs {
    /// The code, as a message shows it.
    #[arg(value_name = "CODE")]
    code: Option<String>,
}

pub(super) fn run(arguments: &ExplainArgs, context: &Context) -> ExitCode {
    let text = match &arguments.code {
        None => list(context.output),
        Some(wanted) => match Code::ALL.iter().find(|code| code.info().id.eq_ignore_ascii_case(wanted)) {
            Some(code) => one(&code.info(), context.output),
            None => {
                session::say(&format!("there is no code `{wanted}`"), "`vecferry explain` lists all codes", context);
                return ExitCode::Usage;
            }
        },
    };
    session::data(&text, context).err().unwrap_or(ExitCode::Success)
}

fn list(output: Output) -> String {
    let codes = Code::ALL.iter().map(|code| code.info());
    match output {
        Output::Text => codes.map(|info| format!("{}  {}\n", info.id, info.title)).collect(),
        Output::Json => session::answer(json!({
            "codes": codes.map(|info| value(&info)).collect::<Vec<_>>(),
        })),
        Output::Markdown => {
            let rows = codes.map(|info| format!("| {} | {} | {} |\n", info.id, info.severity.as_str(), info.title));
            format!("| code | | title |\n|---|---|---|\n{}", rows.collect::<String>())
        }
    }
}

fn one(info: &CodeInfo, output: Output) -> String {
    match output {
        Output::Text => format!("{}: {}\n\n{}\n", info.id, info.title, info.explanation),
        Output::Json => session::answer(value(info)),
        Output::Markdown => {
            format!("### {}: {}\n\n{}: {}\n", info.id, info.title, info.severity.as_str(), info.explanation)
        }
    }
}

fn value(info: &CodeInfo) -> serde_json::Value {
    json!({
        "code": info.id,
        "severity": info.severity.as_str(),
        "title": info.title,
        "explanation": info.explanation,
        "url": info.page(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_form_has_every_code() {
        for output in [Output::Text, Output::Json, Output::Markdown] {
            let list = list(output);
            for code in Code::ALL {
                let info = code.info();
                assert!(list.contains(info.id), "{} is not in {output:?}", info.id);
                assert!(one(&info, output).contains(info.title), "{} as {output:?}", info.id);
            }
        }
    }
}
