//! Reads secrets where the plan says they are, when a connection is opened and at no other time.

use std::time::Duration;

use secrecy::{ExposeSecret, SecretString};

use crate::plan::resolved::SecretRef;

/// How long a command may take to print a secret.
const COMMAND_DEADLINE: Duration = Duration::from_secs(60);

/// The secret behind a reference. The error says which reference and why, never what was read.
pub async fn resolve(reference: &SecretRef) -> Result<SecretString, String> {
    let secret = match reference {
        SecretRef::Literal(secret) => secret.clone(),
        SecretRef::Env(name) => match std::env::var(name) {
            Ok(value) => SecretString::from(value),
            Err(std::env::VarError::NotPresent) => {
                return Err(format!("the environment variable {name} is not set"));
            }
            Err(std::env::VarError::NotUnicode(_)) => {
                return Err(format!("the environment variable {name} is not UTF-8"));
            }
        },
        SecretRef::File(path) => {
            let text = fs_err::read_to_string(path).map_err(|error| error.to_string())?;
            without_line_break(text)
        }
        SecretRef::Command(command) => run(command).await?,
    };
    if secret.expose_secret().is_empty() {
        return Err(format!("{} is empty", describe(reference)));
    }
    if secret.expose_secret().chars().any(char::is_control) {
        return Err(format!(
            "{} holds a control character, such as a line break, which no token has",
            describe(reference)
        ));
    }
    Ok(secret)
}

fn describe(reference: &SecretRef) -> String {
    match reference {
        SecretRef::Literal(_) => "the secret in the plan".to_owned(),
        SecretRef::Env(name) => format!("the environment variable {name}"),
        SecretRef::File(path) => format!("the file {}", path.display()),
        SecretRef::Command(command) => format!("the output of {}", command.first().map_or("", String::as_str)),
    }
}

async fn run(command: &[String]) -> Result<SecretString, String> {
    let Some((program, arguments)) = command.split_first() else {
        return Err("the command is empty".to_owned());
    };
    let child = tokio::process::Command::new(program)
        .args(arguments)
        .stdin(std::process::Stdio::null())
        .stderr(std::process::Stdio::null())
        .kill_on_drop(true)
        .output();
    let output = tokio::time::timeout(COMMAND_DEADLINE, child)
        .await
        .map_err(|_| format!("{program} did not end within {} s", COMMAND_DEADLINE.as_secs()))?
        .map_err(|error| format!("{program} could not be started: {error}"))?;
    if !output.status.success() {
        return Err(format!("{program} ended with {}", output.status));
    }
    let text = String::from_utf8(output.stdout).map_err(|_| format!("the output of {program} is not UTF-8"))?;
    Ok(without_line_break(text))
}

fn without_line_break(mut text: String) -> SecretString {
    if text.ends_with('\n') {
        text.pop();
        if text.ends_with('\r') {
            text.pop();
        }
    }
    SecretString::from(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn read(reference: SecretRef) -> Result<String, String> {
        resolve(&reference).await.map(|secret| secret.expose_secret().to_owned())
    }

    #[tokio::test]
    async fn files_and_commands_lose_one_line_break() {
        let folder = crate::searched::folder();
        let path = folder.path_of_secret("token");
        fs_err::write(&path, "Sup3rS3cret\r\n").unwrap();
        assert_eq!(read(SecretRef::File(path.clone())).await.unwrap(), "Sup3rS3cret");
        fs_err::write(&path, "Sup3rS3cret\n\n").unwrap();
        let error = read(SecretRef::File(path)).await.unwrap_err();
        assert!(error.contains("control character") && !error.contains("Sup3rS3cret"), "{error}");
        let command = ["sh", "-c", "echo Sup3rS3cret"].map(str::to_owned).to_vec();
        assert_eq!(read(SecretRef::Command(command)).await.unwrap(), "Sup3rS3cret");
    }

    #[tokio::test]
    async fn what_fails_is_named_without_the_secret() {
        let failing = ["sh", "-c", "echo Sup3rS3cret; exit 3"].map(str::to_owned).to_vec();
        let error = read(SecretRef::Command(failing)).await.unwrap_err();
        assert!(error.contains("sh ended with") && !error.contains("Sup3rS3cret"), "{error}");
        let error = read(SecretRef::Env("VECFERRY_TEST_NOT_SET".to_owned())).await.unwrap_err();
        assert_eq!(error, "the environment variable VECFERRY_TEST_NOT_SET is not set");
    }
}
