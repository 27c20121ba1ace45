//! Certificates for receivers that speak TLS.

use std::sync::Arc;

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use rustls::ServerConfig;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};

use crate::tls::{Identity, provider};

/// An issuer, and a certificate that it gave to a server on this machine.
#[derive(Debug, Clone)]
pub struct Certificates {
    /// The issuer's certificate, in PEM form: what a client has to trust.
    pub ca_pem: String,
    /// The same, in DER form.
    pub ca: CertificateDer<'static>,
    /// The server's certificate and key.
    pub server: Identity,
}

impl Certificates {
    /// New ones, for `localhost` and `127.0.0.1`.
    ///
    /// # Errors
    /// The system has no randomness to give.
    pub fn generate() -> Result<Self, rcgen::Error> {
        let mut issuer = CertificateParams::new(Vec::new())?;
        issuer.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let issuer = CertifiedIssuer::self_signed(issuer, KeyPair::generate()?)?;
        let key = KeyPair::generate()?;
        let server = CertificateParams::new(vec!["localhost".to_owned(), "127.0.0.1".to_owned()])?.signed_by(&key, &issuer)?;
        let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(key.serialize_der()));
        let server = Identity { chain: vec![server.der().clone()], key };
        Ok(Self { ca_pem: issuer.pem(), ca: issuer.der().clone(), server })
    }
}

/// The TLS side of a server with this certificate.
pub(super) fn server_config(identity: Identity) -> std::io::Result<Arc<ServerConfig>> {
    let config = ServerConfig::builder_with_provider(provider())
        .with_safe_default_protocol_versions()
        .and_then(|builder| builder.with_no_client_auth().with_single_cert(identity.chain, identity.key));
    config.map(Arc::new).map_err(|why| std::io::Error::new(std::io::ErrorKind::InvalidInput, why))
}
