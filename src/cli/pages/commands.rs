//! `docs/cli.md`: every command and argument, exit codes, environment variables, and what wins over what.

use clap::{Arg, ArgAction, Command, CommandFactory as _};

use super::super::exit_code::ExitCode;
use super::super::{Cli, forms};
use super::{assert_fresh, cell};

/// Variables that vecferry reads. Those of a plan's secrets are the plan's.
const VARIABLES: [(&str, &str); 9] = [
    ("NO_COLOR", "Set and not empty: no colour, unless `--color=always` is given."),
    ("COLUMNS", "How wide text is set, from 40 to 400. It wins over the width of the terminal."),
    ("RUST_LOG", "What is logged, by part of the program, such as `vecferry=debug,h2=warn`. It wins over `-v`."),
    (
        "SSL_CERT_FILE",
        "PEM file with the certificate authorities to trust instead of the system's, where a plan names no `ca`.",
    ),
    ("SSL_CERT_DIR", "Folders of such files, with `:` between them."),
    (
        "AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY, AWS_SESSION_TOKEN",
        "Who reads and writes the bucket that keeps the state ([the state](state.md)).",
    ),
    ("AWS_REGION", "Where that bucket is."),
    (
        "AWS_ENDPOINT_URL_S3, AWS_ENDPOINT_URL",
        "The address of the S3 store, where it is not Amazon's. Plain http is taken for addresses of this machine, and for others \
         where AWS_ALLOW_HTTP is `true`.",
    ),
    ("VECFERRY_PROGRESS_SECONDS", "Seconds between two lines of progress where there is no terminal; without it, 60."),
];

fn page() -> String {
    let mut root = forms::with_own(Cli::command());
    root.build();
    let mut page = String::from(
        "# The command line\n\nstdout is data that can be piped; everything said to people is on stderr. Several plans, or folders of \
         plans, may be given at once.\n\n",
    );
    let commands: Vec<&Command> = root.get_subcommands().filter(|command| is_own(command)).collect();
    page.push_str("| command | does |\n|---|---|\n");
    for command in &commands {
        let name = command.get_name();
        page.push_str(&format!("| [`vecferry {name}`](#vecferry-{name}) | {} |\n", cell(&about(command))));
    }
    page.push_str("\n## What every command takes\n\n");
    page.push_str(&table(root.get_arguments().filter(|argument| argument.is_global_set())));
    page.push_str(
        "| `-h`, `--help` | Prints help: `-h` in short, `--help` in full. |\n| `-V`, `--version` | Prints the version. |\n\n\
         Some commands offer other forms with `--output`; their own tables say which.\n",
    );
    for command in commands {
        describe(command, "vecferry", 2, &mut page);
    }
    page.push_str("\n## Exit codes\n\n| code | meaning |\n|---|---|\n");
    for code in ExitCode::ALL {
        page.push_str(&format!("| {} | {} |\n", code as u8, code.meaning()));
    }
    page.push_str("\nNew codes may come. Treat one that is not listed here as a failure.\n");
    page.push_str("\n## Environment variables\n\n| variable | what it does |\n|---|---|\n");
    for (name, meaning) in VARIABLES {
        page.push_str(&format!("| `{}` | {meaning} |\n", name.replace(", ", "`, `")));
    }
    page.push_str(PRECEDENCE);
    page
}

const PRECEDENCE: &str = "\n## What wins\n\n\
    From the strongest to the weakest:\n\n\
    1. an argument on the command line;\n\
    2. an environment variable;\n\
    3. what a plan says about a collection, then what it says about its migration;\n\
    4. the nearest `vecferry.toml`, upward from the plan ([its keys](settings.md));\n\
    5. the default, which [the page of the plan's keys](plan-file.md) names with each key.\n\n\
    Nothing in a plan is ever replaced by an environment variable: a secret is read from one only where the plan says `{env: NAME}`.\n";

/// clap adds a command of its own.
fn is_own(command: &Command) -> bool {
    command.get_name() != "help" && !command.is_hide_set()
}

fn about(command: &Command) -> String {
    command.get_about().map(ToString::to_string).unwrap_or_default()
}

fn describe(command: &Command, before: &str, level: usize, page: &mut String) {
    let name = format!("{before} {}", command.get_name());
    page.push_str(&format!("\n{} {name}\n\n", "#".repeat(level)));
    let long = command.get_long_about().map(ToString::to_string).unwrap_or_else(|| about(command));
    let end = if long.trim_end().ends_with('.') { "" } else { "." };
    page.push_str(&format!("{}{end}\n\n", long.trim()));
    let usage = command.clone().render_usage().to_string();
    page.push_str(&format!("```text\n{}\n```\n", usage.trim_start_matches("Usage: ").trim()));
    let own: Vec<&Arg> = command.get_arguments().filter(|argument| is_told(argument)).collect();
    if !own.is_empty() {
        page.push_str(&format!("\n{}", table(own.into_iter())));
    }
    for sub in command.get_subcommands().filter(|command| is_own(command)) {
        describe(sub, &name, level + 1, page);
    }
}

/// Not those that every command takes, unless this one takes them otherwise.
fn is_told(argument: &Arg) -> bool {
    !argument.is_global_set() && !argument.is_hide_set() && !["help", "version"].contains(&argument.get_id().as_str())
}

fn table<'a>(arguments: impl Iterator<Item = &'a Arg>) -> String {
    let mut table = String::from("| argument | what it does |\n|---|---|\n");
    for argument in arguments {
        table.push_str(&format!("| {} | {} |\n", cell(&shown(argument)), cell(&meaning(argument))));
    }
    table
}

fn shown(argument: &Arg) -> String {
    let value = argument.get_value_names().and_then(|names| names.first()).map(ToString::to_string).unwrap_or_default();
    let many = if argument.get_num_args().is_some_and(|range| range.max_values() > 1) { "..." } else { "" };
    if argument.is_positional() {
        let name = format!("{value}{many}");
        return if argument.is_required_set() { format!("`{name}`") } else { format!("`[{name}]`") };
    }
    let takes = matches!(argument.get_action(), ArgAction::Set | ArgAction::Append);
    let long =
        argument.get_long().map(|long| if takes { format!("`--{long} {value}`") } else { format!("`--{long}`") });
    let short = argument.get_short().map(|short| format!("`-{short}`"));
    short.into_iter().chain(long).collect::<Vec<_>>().join(", ")
}

fn meaning(argument: &Arg) -> String {
    let help = argument.get_long_help().or_else(|| argument.get_help()).map(ToString::to_string).unwrap_or_default();
    let mut meaning = help.trim().to_owned();
    if !meaning.ends_with('.') {
        meaning.push('.');
    }
    let choices: Vec<String> = argument
        .get_possible_values()
        .iter()
        .filter(|value| !value.is_hide_set())
        .map(|value| format!("`{}`", value.get_name()))
        .collect();
    let takes = matches!(argument.get_action(), ArgAction::Set | ArgAction::Append);
    if takes && !choices.is_empty() {
        meaning.push_str(&format!(" One of {}.", choices.join(", ")));
    }
    let defaults: Vec<String> =
        argument.get_default_values().iter().map(|value| format!("`{}`", value.display())).collect();
    if takes && !defaults.is_empty() {
        meaning.push_str(&format!(" Default: {}.", defaults.join(", ")));
    }
    if let Some(variable) = argument.get_env() {
        meaning.push_str(&format!(" Also by the environment variable `{}`.", variable.display()));
    }
    meaning
}

#[test]
fn the_page_of_commands_is_fresh() {
    assert_fresh("cli.md", &page());
}

#[test]
fn the_readme_has_every_exit_code() {
    let readme = fs_err::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/README.md")).expect("the README");
    for code in ExitCode::ALL {
        assert!(readme.contains(&format!("\n| {} | ", code as u8)), "{code:?}");
    }
}
