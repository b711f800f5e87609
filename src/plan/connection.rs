//! A connection to a cluster, as plans and profiles write it: the rules that the schema can't say, and the way to an
//! [`Endpoint`](super::resolved::Endpoint).

use std::net::IpAddr;
use std::path::{Path as FilePath, PathBuf};
use std::time::Duration;

use super::model::{MilvusSpec, TierSpec, TimeoutsSpec, TlsSpec};
use super::names;
use super::report::Report;
use super::resolved::{Auth, Endpoint, SecretRef, Tier, Tls};
use super::tree::{Path, child};
use super::values::{self, SecretSpec};
use crate::diagnostic::{Code, Span};

/// How long to wait for a connection where the plan says nothing.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

/// How long to wait for an answer where the plan says nothing.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(60);
/// Longer than a server takes to start again.
const RETRY_TIMEOUT: Duration = Duration::from_secs(120);

/// The address of a cluster.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Address {
    https: bool,
    /// In lower case; IPv6 in brackets.
    host: String,
    port: u16,
}

/// Why a text is no address: a code, what is wrong, and what to do. It never holds the text.
type Refusal = (Code, &'static str, &'static str);

impl Address {
    /// Reads `http://host:port` or `https://host:port`.
    pub(crate) fn parse(text: &str) -> Result<Self, Refusal> {
        const FORM: &str = "write http://host:port or https://host:port";
        let bad = |message| Err((Code::BadUri, message, FORM));
        if text.trim().is_empty() {
            return bad("the address is empty");
        }
        // Before anything else looks at the text, so that no other message is about credentials.
        let authority = text.split_once("://").map_or(text, |(_, rest)| rest);
        if authority.contains('@') {
            return Err((
                Code::CredentialsInUri,
                "the address holds credentials",
                "remove everything up to the `@`, and use `token`, or `username` and `password`",
            ));
        }
        let Some((scheme, rest)) = text.split_once("://") else {
            return bad("the address does not start with http:// or https://");
        };
        let https = match scheme.to_ascii_lowercase().as_str() {
            "http" => false,
            "https" => true,
            _ => return bad("the address does not start with http:// or https://"),
        };
        if rest.contains(['?', '#']) {
            return bad("the address has a query or a fragment");
        }
        let Ok(uri) = text.parse::<http::Uri>() else {
            return bad("the address can't be read");
        };
        if !matches!(uri.path(), "" | "/") {
            return bad("the address has a path");
        }
        let Some(authority) = uri.authority() else {
            return bad("the address has no host");
        };
        let host = authority.host().to_ascii_lowercase();
        if !is_host(&host) {
            return bad("the address has no valid host");
        }
        let written = &authority.as_str()[authority.host().len()..];
        let port = match written.strip_prefix(':') {
            None => {
                if https {
                    443
                } else {
                    19530
                }
            }
            Some(digits) => match digits.parse::<u16>() {
                Ok(port) if port > 0 && digits.bytes().all(|byte| byte.is_ascii_digit()) => port,
                _ => return bad("the port is not a number from 1 to 65535"),
            },
        };
        Ok(Self { https, host, port })
    }

    /// The address in one spelling, with its port.
    pub(crate) fn uri(&self) -> String {
        let scheme = if self.https { "https" } else { "http" };
        format!("{scheme}://{}:{}", self.host, self.port)
    }

    /// The port as an address ends with it.
    pub(crate) fn port_suffix(&self) -> String {
        format!(":{}", self.port)
    }

    /// Whether TLS is spoken.
    pub(crate) fn is_https(&self) -> bool {
        self.https
    }

    /// Whether it leads to this machine: localhost, 127.0.0.0/8 or ::1.
    pub(crate) fn is_loopback(&self) -> bool {
        self.host == "localhost"
            || self.host.trim_matches(['[', ']']).parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
    }

    /// What two addresses of the same server have in common, whichever of the names of this machine they use and
    /// whether or not they speak TLS.
    pub(crate) fn identity(&self) -> String {
        let host = match self.host.as_str() {
            "localhost" | "127.0.0.1" | "[::1]" => "localhost",
            other => other.trim_end_matches('.'),
        };
        format!("{host}:{}", self.port)
    }
}

fn is_host(host: &str) -> bool {
    if let Some(inner) = host.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
        return inner.parse::<std::net::Ipv6Addr>().is_ok();
    }
    !host.is_empty()
        && host.len() <= 253
        && host.trim_end_matches('.').split('.').all(|label| {
            (1..=63).contains(&label.len())
                && label.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_'))
        })
}

/// Reports what is wrong with a connection.
pub(crate) fn check(report: &mut Report<'_>, path: &Path, spec: &MilvusSpec) {
    let uri_path = child(path, "uri");
    let address = match Address::parse(&spec.uri) {
        Ok(address) => Some(address),
        Err((code, message, help)) => {
            report.value(code, &uri_path, message, help);
            None
        }
    };
    let way = Way::of(spec);
    way.check(report, path, address.as_ref());
    let sends_secret = spec.token.is_some() || spec.password.is_some();
    if let Some(address) = &address
        && sends_secret
        && !address.is_https()
        && !address.is_loopback()
    {
        report.value(
            Code::SecretInClear,
            &uri_path,
            "the login would cross the network unencrypted",
            "use https:// where the server has TLS",
        );
    }
    if let Some(tls) = &spec.tls {
        check_tls(report, &child(path, "tls"), tls, address.as_ref());
    }
}

/// What a connection says beside which cluster it leads to.
pub(crate) struct Way<'a> {
    pub(crate) database: Option<&'a String>,
    pub(crate) token: Option<&'a SecretSpec>,
    pub(crate) username: Option<&'a String>,
    pub(crate) password: Option<&'a SecretSpec>,
    pub(crate) tls: Option<&'a TlsSpec>,
    pub(crate) timeouts: Option<&'a TimeoutsSpec>,
}

impl<'a> Way<'a> {
    fn of(spec: &'a MilvusSpec) -> Self {
        Self {
            database: spec.database.as_ref(),
            token: spec.token.as_ref(),
            username: spec.username.as_ref(),
            password: spec.password.as_ref(),
            tls: spec.tls.as_ref(),
            timeouts: spec.timeouts.as_ref(),
        }
    }

    /// Reports what is wrong with it, but for TLS. Secrets may stand in the file where `address` is one of this machine.
    pub(crate) fn check(&self, report: &mut Report<'_>, path: &Path, address: Option<&Address>) {
        if let Some(database) = self.database {
            names::check_database(report, &child(path, "database"), database);
        }
        check_login(report, path, self);
        for (key, secret) in [("token", self.token), ("password", self.password)] {
            if let Some(secret) = secret {
                check_secret(report, &child(path, key), secret, address);
            }
        }
        let Some(timeouts) = self.timeouts else { return };
        let path = child(path, "timeouts");
        for (key, duration) in
            [("connect", &timeouts.connect), ("request", &timeouts.request), ("retry", &timeouts.retry)]
        {
            if duration.as_ref().is_some_and(|duration| duration.value().is_none()) {
                report.value(
                    Code::BadDuration,
                    &child(&path, key),
                    "a timeout is between 1 millisecond and 24 hours",
                    "for example `10s`",
                );
            }
        }
    }

    /// How to log in.
    pub(crate) fn auth(&self, folder: &FilePath) -> Auth {
        match (self.token, self.username, self.password) {
            (Some(token), _, _) => Auth::Token(secret_ref(token, folder)),
            (None, Some(username), Some(password)) => {
                Auth::Password { username: username.clone(), password: secret_ref(password, folder) }
            }
            _ => Auth::None,
        }
    }

    /// An endpoint that is reached so; nothing where it has errors. Relative paths start at `folder`.
    pub(crate) fn endpoint(
        &self,
        name: &str,
        uri: String,
        tier: Tier,
        folder: &FilePath,
        span: Span,
    ) -> Option<Endpoint> {
        let file = |path: &Option<String>| -> Option<PathBuf> { Some(folder.join(path.as_ref()?)) };
        let tls = self.tls.map_or_else(Tls::default, |tls| Tls {
            ca: file(&tls.ca),
            client: file(&tls.client_cert).zip(file(&tls.client_key)),
            server_name: tls.server_name.clone(),
        });
        let wait =
            |duration: Option<&values::Duration>, default| duration.map_or(Some(default), values::Duration::value);
        let timeouts = self.timeouts;
        Some(Endpoint {
            name: name.to_owned(),
            uri,
            cloud: None,
            auth: self.auth(folder),
            tls,
            connect_timeout: wait(timeouts.and_then(|timeouts| timeouts.connect.as_ref()), CONNECT_TIMEOUT)?,
            tier,
            units: None,
            request_timeout: wait(timeouts.and_then(|timeouts| timeouts.request.as_ref()), REQUEST_TIMEOUT)?,
            retry_timeout: wait(timeouts.and_then(|timeouts| timeouts.retry.as_ref()), RETRY_TIMEOUT)?,
            span,
        })
    }
}

/// Where a secret comes from. Relative paths start at `folder`.
pub(crate) fn secret_ref(secret: &SecretSpec, folder: &FilePath) -> SecretRef {
    match secret {
        SecretSpec::Env(name) => SecretRef::Env(name.clone()),
        SecretSpec::File(path) => SecretRef::File(folder.join(path)),
        SecretSpec::Command(words) => SecretRef::Command(words.clone()),
        SecretSpec::Literal(text) => SecretRef::Literal(text.clone()),
    }
}

fn check_login(report: &mut Report<'_>, path: &Path, spec: &Way<'_>) {
    if spec.token.is_some() && (spec.username.is_some() || spec.password.is_some()) {
        report.key(
            Code::TokenAndPassword,
            &child(path, "token"),
            "`token` can't be given together with `username` or `password`",
            "keep the token, or the user name and password",
        );
        return;
    }
    // Where an invalid key was taken out, it may be the very one that seems to be missing.
    if report.document.root.find(path).is_some_and(|node| node.damaged) {
        return;
    }
    match (spec.username, spec.password) {
        (Some(_), None) => report.key(
            Code::IncompleteLogin,
            &child(path, "username"),
            "`username` without `password`",
            "add `password: {env: NAME}`",
        ),
        (None, Some(_)) => report.key(
            Code::IncompleteLogin,
            &child(path, "password"),
            "`password` without `username`",
            "add `username`, or use `token` for an API key",
        ),
        _ => {}
    }
}

/// Reports what is wrong with the reference to a secret. It may stand in the file itself where `address` is one of this machine.
pub(crate) fn check_secret(report: &mut Report<'_>, path: &Path, secret: &SecretSpec, address: Option<&Address>) {
    use secrecy::ExposeSecret as _;
    match secret {
        SecretSpec::Literal(text) => {
            let text = text.expose_secret();
            let variable = text
                .strip_prefix('$')
                .map(|name| name.trim_start_matches('{').trim_end_matches('}'))
                .filter(|name| super::secrets::is_variable(name));
            let loopback = address.is_some_and(Address::is_loopback);
            if variable.is_some() && loopback {
                report.value(
                    Code::LooksLikeVariable,
                    path,
                    "variables are not replaced in a plan, so this is the secret itself",
                    "write `{env: NAME}` to read an environment variable",
                );
            } else if !loopback && address.is_some() {
                report.value(
                    Code::LiteralSecret,
                    path,
                    "the secret stands in the file itself",
                    "refer to it: `{env: NAME}`, `{file: PATH}` or `{command: [program, argument]}`",
                );
            }
        }
        SecretSpec::File(file) if file.trim().is_empty() => {
            report.value(Code::EmptyName, &child(path, "file"), "the file's name is blank", "")
        }
        SecretSpec::Command(words) if words.first().is_none_or(|word| word.trim().is_empty()) => {
            report.value(
                Code::EmptyName,
                &child(path, "command"),
                "the program's name is blank",
                "for example `command: [vault, kv, get, -field=token, secret/milvus]`",
            );
        }
        SecretSpec::Env(_) | SecretSpec::File(_) | SecretSpec::Command(_) => {}
    }
}

pub(crate) fn check_tls(report: &mut Report<'_>, path: &Path, tls: &TlsSpec, address: Option<&Address>) {
    if address.is_some_and(|address| !address.is_https()) {
        report.key(
            Code::TlsWithoutHttps,
            path,
            "`tls` has no effect on an http:// address",
            "write https:// in `uri`, or remove `tls`",
        );
    }
    if report.document.root.find(path).is_some_and(|node| node.damaged) {
        return;
    }
    let (there, missing) = match (&tls.client_cert, &tls.client_key) {
        (Some(_), None) => ("client_cert", "client_key"),
        (None, Some(_)) => ("client_key", "client_cert"),
        _ => return,
    };
    report.key(
        Code::IncompleteClientCertificate,
        &child(path, there),
        format!("`{there}` without `{missing}`"),
        &format!("add `{missing}`"),
    );
}

/// The endpoint that a checked connection stands for; nothing where it has errors. Relative paths start at `folder`.
pub(crate) fn resolve(name: &str, spec: &MilvusSpec, folder: &FilePath, span: Span) -> Option<Endpoint> {
    let address = Address::parse(&spec.uri).ok()?;
    let tier = match spec.tier {
        Some(TierSpec::Free) => Tier::Free,
        Some(TierSpec::Serverless) => Tier::Serverless,
        Some(TierSpec::Dedicated) => Tier::Dedicated,
        Some(TierSpec::Byoc) => Tier::Byoc,
        Some(TierSpec::SelfHosted) => Tier::SelfHosted,
        None => Tier::default(),
    };
    Way::of(spec).endpoint(name, address.uri(), tier, folder, span)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn uri(text: &str) -> Result<String, Code> {
        Address::parse(text).map(|address| address.uri()).map_err(|(code, _, _)| code)
    }

    #[test]
    fn addresses_get_one_spelling_and_a_port() {
        assert_eq!(uri("http://LOCALHOST"), Ok("http://localhost:19530".into()));
        assert_eq!(uri("https://a.b.c/"), Ok("https://a.b.c:443".into()));
        assert_eq!(uri("http://h:80"), Ok("http://h:80".into()));
        assert_eq!(uri("HTTP://[::1]:5"), Ok("http://[::1]:5".into()));
    }

    #[test]
    fn what_is_no_address_is_refused() {
        for text in [
            "",
            " ",
            "localhost:19530",
            "tcp://h:1",
            "http://",
            "http://:19530",
            "http://h:0",
            "http://h:99999",
            "http://h:",
            "http://h/path",
            "http://h?x=1",
            "http://h#f",
            "http://h h",
            "http://[::zz]:1",
            "http://主机",
            "http://a..b",
            "http://h:+5",
        ] {
            assert_eq!(uri(text), Err(Code::BadUri), "{text}");
        }
        for text in ["http://u:p@h:1", "http://u@h", "https://a/b:c@h", "u:p@h:1"] {
            assert_eq!(uri(text), Err(Code::CredentialsInUri), "{text}");
        }
    }

    #[test]
    fn this_machine_is_known_under_its_names() {
        let address = |text| Address::parse(text).expect("an address");
        for text in ["http://localhost", "http://127.9.9.9:1", "http://[::1]"] {
            assert!(address(text).is_loopback(), "{text}");
        }
        for text in ["http://10.0.0.1", "http://localhost.example.com", "http://0.0.0.0"] {
            assert!(!address(text).is_loopback(), "{text}");
        }
        assert_eq!(address("http://localhost").identity(), address("http://127.0.0.1:19530").identity());
    }
}
