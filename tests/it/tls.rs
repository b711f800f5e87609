//! TLS with an authority of one's own and certificates on both ends.

use std::fs;
use std::path::{Path, PathBuf};

use rcgen::{BasicConstraints, CertificateParams, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair, KeyUsagePurpose};

use crate::runs::Run;
use crate::secrets;
use crate::servers::{Milvus, Server, source};
use crate::support::{Workspace, database, fill, place};

/// The name in the server's certificate; its address is a number.
const SERVER_NAME: &str = "milvus.test";

/// An authority, and certificates that it gave to a server and to a client, as PEM files.
struct Authority {
    folder: PathBuf,
    issuer: Issuer<'static, KeyPair>,
}

impl Authority {
    fn new(folder: &Path) -> Authority {
        fs::create_dir_all(folder).unwrap();
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::default();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign];
        fs::write(folder.join("ca.pem"), params.self_signed(&key).unwrap().pem()).unwrap();
        let authority = Authority { folder: folder.to_owned(), issuer: Issuer::new(params, key) };
        authority.issue("server", SERVER_NAME, ExtendedKeyUsagePurpose::ServerAuth);
        authority.issue("client", "vecferry.test", ExtendedKeyUsagePurpose::ClientAuth);
        authority
    }

    fn issue(&self, file: &str, name: &str, usage: ExtendedKeyUsagePurpose) {
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::new(vec![name.to_owned()]).unwrap();
        params.extended_key_usages = vec![usage];
        fs::write(self.folder.join(format!("{file}.pem")), params.signed_by(&key, &self.issuer).unwrap().pem())
            .unwrap();
        let (key, file) = (key.serialize_pem(), self.folder.join(format!("{file}.key")));
        secrets::made(&key, &file);
        fs::write(file, key).unwrap();
    }

    /// A server that shows the certificate, and wants one of the same authority from whoever connects.
    fn server(&self) -> Server {
        let path = |name: &str| self.folder.join(name).display().to_string();
        Milvus::start_with(&[
            "tls_mode=2",
            &format!("server_pem_path={:?}", path("server.pem")),
            &format!("server_key_path={:?}", path("server.key")),
            &format!("ca_pem_path={:?}", path("ca.pem")),
        ])
    }
}

/// Applies a plan that copies a collection to the server with these settings of TLS.
fn apply(work: &Workspace, name: &str, server: &Server, tls: &str) -> Run {
    work.write(
        "plan.yaml",
        &format!(
            "version: 1\nsources:\n  old:\n    milvus: {{uri: \"{}\"}}\ntargets:\n  new:\n    milvus:\n      uri: \"{}\"\n      \
             timeouts: {{connect: 5s}}\n      tls: {{{tls}}}\nmigrations:\n  - from: old\n    to: new\n    \
             database: {name}\n    collections: [{{source: small, indexes: copy}}]\n",
            source().uri(),
            server.uri(),
        ),
    );
    // A log of everything, so that a key that anything below us logs is found by the search for secrets.
    work.start_with(&["-vv", "apply", "--auto-approve", "plan.yaml"], &[("RUST_LOG", "trace")]).wait()
}

#[test]
fn both_ends_show_certificates_of_an_authority_of_ones_own() {
    let (work, name) = (Workspace::new(), database("tls"));
    let ours = Authority::new(&work.path().join("ours"));
    Authority::new(&work.path().join("theirs"));
    let server = ours.server();
    fill(&place(source(), &name, "small"), "small", &[]);
    let address = server.uri().trim_start_matches("https://").to_owned();
    let client = "client_cert: ours/client.pem, client_key: ours/client.key";
    let named = format!("server_name: {SERVER_NAME}");

    let wrong = [
        (format!("ca: theirs/ca.pem, {client}, {named}"), "certificate"),
        (format!("ca: ours/ca.pem, {client}"), "certificate"),
        (format!("ca: ours/ca.pem, {named}, client_cert: theirs/client.pem, client_key: theirs/client.key"), &address),
        (format!("ca: ours/ca.pem, {named}"), &address),
        (format!("ca: ours/no-such.pem, {client}, {named}"), "no-such.pem"),
    ];
    for (tls, said) in wrong {
        let run = apply(&work, &name, &server, &tls).says(&[said, &address, "new"]);
        assert!(matches!(run.code, Some(1 | 5 | 12)), "{tls}: {run:?}");
        assert!(work.state_files().is_empty());
    }

    apply(&work, &name, &server, &format!("ca: ours/ca.pem, {client}, {named}")).ended(0);
    work.verify().ended(0);
    work.look().ended(0);
}
