//! The forms in which commands write their results, and which command offers which.

use clap::ValueEnum;
use clap::builder::{PossibleValuesParser, TypedValueParser};

/// The form of a result, of all that any command offers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Form {
    /// For people.
    Text,
    /// For machines.
    Json,
    /// For change requests.
    Markdown,
    /// For browsers: one page that needs no other file.
    Html,
    /// For code scanning: SARIF 2.1.0.
    Sarif,
    /// For GitHub's annotations.
    Github,
}

impl Form {
    /// What every command offers.
    pub(super) const EVERYWHERE: [Self; 3] = [Self::Text, Self::Json, Self::Markdown];
}

/// What `validate` offers.
const VALIDATE: [Form; 5] = [Form::Text, Form::Json, Form::Markdown, Form::Sarif, Form::Github];

/// What those offer that show a diff.
const DIFF: [Form; 4] = [Form::Text, Form::Json, Form::Markdown, Form::Html];

/// Takes the names of these forms and no others.
pub(super) fn among(offered: &[Form]) -> impl TypedValueParser<Value = Form> + use<> {
    let offered: Vec<_> = offered.iter().filter_map(Form::to_possible_value).collect();
    PossibleValuesParser::new(offered).try_map(|name| Form::from_str(&name, false))
}

/// Commands that offer other forms of their result than the rest do.
pub(super) fn with_own(command: clap::Command) -> clap::Command {
    // An argument of a command comes before the global one with the same id.
    let offer = |forms: &[Form]| {
        clap::Arg::new("output")
            .long("output")
            .help("The form of the result")
            .default_value("text")
            .value_name("FORM")
            .value_parser(among(forms))
    };
    // All of them are looked at, because changing one alone would move it to the end of the list.
    command.mut_subcommands(|command| match command.get_name() {
        "validate" => command.arg(offer(&VALIDATE)),
        "plan" | "apply" | "show" => command.arg(offer(&DIFF)),
        // What these write is a file of another kind already.
        "inspect" | "completions" | "man" => command.arg(offer(&[Form::Text])),
        _ => command,
    })
}

/// The form of a result, for commands that offer what all of them do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Output {
    /// For people.
    Text,
    /// For machines.
    Json,
    /// For change requests.
    Markdown,
}

impl From<Form> for Output {
    fn from(form: Form) -> Self {
        match form {
            Form::Json => Self::Json,
            Form::Markdown => Self::Markdown,
            Form::Text | Form::Html | Form::Sarif | Form::Github => Self::Text,
        }
    }
}
