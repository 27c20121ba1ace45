//! Certificates for servers and sites of the tests.

use std::path::Path;

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair};

/// A certificate for this machine, with its key and its issuer, all in PEM form.
#[derive(Debug)]
pub(crate) struct Issued {
    pub(crate) issuer: String,
    pub(crate) certificate: String,
    pub(crate) key: String,
}

/// Makes one.
pub(crate) fn issue() -> Issued {
    let mut issuer = CertificateParams::new(Vec::new()).expect("parameters");
    issuer.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let issuer = CertifiedIssuer::self_signed(issuer, KeyPair::generate().expect("a key")).expect("a certificate");
    let key = KeyPair::generate().expect("a key");
    let mut certificate = CertificateParams::new(vec!["localhost".to_owned(), "127.0.0.1".to_owned()]).expect("parameters");
    // OpenSSL takes a certificate that is called like its issuer for one that issued itself.
    certificate.distinguished_name.push(DnType::CommonName, "localhost");
    let certificate = certificate.signed_by(&key, &issuer).expect("a certificate");
    Issued { issuer: issuer.pem(), certificate: certificate.pem(), key: key.serialize_pem() }
}

/// Writes certificates into a folder that is made for them, named as the QMC exports them.
pub(crate) fn export(folder: &Path) {
    let Issued { issuer, certificate, key } = issue();
    std::fs::create_dir(folder).expect("a folder");
    for (name, pem) in [("root.pem", issuer), ("client.pem", certificate), ("client_key.pem", key)] {
        std::fs::write(folder.join(name), pem).expect("a file");
    }
}
