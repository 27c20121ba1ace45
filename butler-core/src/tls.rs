//! TLS for everything that connects: one library, one cryptography, passed along as a value and never installed for the process.
//!
//! What a client trusts is said by [`Trust`]. The system's roots are loaded when a client is made with [`Trust::System`], so callers make such a
//! client at its first use and not before.

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, ring};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime};
use rustls::{ClientConfig, DigitallySignedStruct, RootCertStore, SignatureScheme};
use rustls_platform_verifier::BuilderVerifierExt;

/// Which servers a client trusts.
#[derive(Debug, Clone)]
pub enum Trust {
    /// Those that the system trusts.
    System,
    /// Those of these roots, and no others.
    Only(Vec<CertificateDer<'static>>),
    /// The one that shows this very certificate and has its key, whatever its name.
    Exactly(CertificateDer<'static>),
    /// Every server, unverified. The traffic can be read and changed by whoever sits between.
    Anything,
}

/// A certificate chain and its key, by which a client shows who it is.
pub struct Identity {
    /// The certificate first, then its issuers.
    pub chain: Vec<CertificateDer<'static>>,
    /// The key.
    pub key: PrivateKeyDer<'static>,
}

impl fmt::Debug for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Identity({} certificates)", self.chain.len())
    }
}

impl Clone for Identity {
    fn clone(&self) -> Self {
        Self { chain: self.chain.clone(), key: self.key.clone_key() }
    }
}

/// Why a TLS client can't be made.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TlsError {
    /// A file can't be read, or is not what it should be.
    #[error("can't read {what} from `{}`: {why}", path.display())]
    File {
        /// `certificates`, `a private key`.
        what: &'static str,
        /// The file.
        path: PathBuf,
        /// Why.
        why: String,
    },
    /// The pieces do not fit together.
    #[error("TLS set-up failed: {0}")]
    Setup(#[from] rustls::Error),
}

/// The cryptography of this library.
#[must_use]
pub fn provider() -> Arc<CryptoProvider> {
    Arc::new(ring::default_provider())
}

/// Reads every certificate of a PEM file; none is an error.
///
/// # Errors
/// [`TlsError::File`].
pub fn read_certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>, TlsError> {
    let fault = |why: String| TlsError::File { what: "certificates", path: path.to_owned(), why };
    let pem = crate::file::bytes(path).map_err(|why| fault(why.to_string()))?;
    let found: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&pem).collect();
    match found {
        Ok(found) if found.is_empty() => Err(fault("it holds no certificate in PEM form (`-----BEGIN CERTIFICATE-----`)".into())),
        Ok(found) => Ok(found),
        Err(why) => Err(fault(why.to_string())),
    }
}

/// Reads a certificate chain and its key from two PEM files. A key that is locked by a password is refused with the way to export it without.
///
/// # Errors
/// [`TlsError::File`].
pub fn read_identity(certificates: &Path, key: &Path) -> Result<Identity, TlsError> {
    let fault = |why: String| TlsError::File { what: "a private key", path: key.to_owned(), why };
    let chain = read_certificates(certificates)?;
    let pem = crate::file::bytes(key).map_err(|why| fault(why.to_string()))?;
    if pem.windows(9).any(|part| part == b"ENCRYPTED") {
        return Err(fault("it is locked by a password; export the certificates from the QMC again, with the password left empty".into()));
    }
    let key = PrivateKeyDer::from_pem_slice(&pem).map_err(|_| fault("it holds no private key in PEM form".into()))?;
    Ok(Identity { chain, key })
}

/// The settings of a TLS client.
///
/// # Errors
/// Roots that are no certificates, a key that does not fit its certificate.
pub fn client_config(trust: Trust, identity: Option<Identity>) -> Result<ClientConfig, TlsError> {
    let provider = provider();
    let builder = ClientConfig::builder_with_provider(Arc::clone(&provider)).with_safe_default_protocol_versions()?;
    let builder = match trust {
        Trust::System => builder.with_platform_verifier()?,
        Trust::Only(roots) => {
            let mut store = RootCertStore::empty();
            for root in roots {
                store.add(root)?;
            }
            builder.with_root_certificates(store)
        }
        Trust::Exactly(only) => builder.dangerous().with_custom_certificate_verifier(Arc::new(ByItself { provider, only: Some(only) })),
        Trust::Anything => builder.dangerous().with_custom_certificate_verifier(Arc::new(ByItself { provider, only: None })),
    };
    Ok(match identity {
        Some(Identity { chain, key }) => builder.with_client_auth_cert(chain, key)?,
        None => builder.with_no_client_auth(),
    })
}

/// The error of the TLS library somewhere within another, if it is one of TLS.
#[cfg(any(feature = "sink-http", feature = "qlik", feature = "mqtt"))]
pub(crate) fn error_within<'a>(error: &'a (dyn std::error::Error + 'static)) -> Option<&'a rustls::Error> {
    let mut next = Some(error);
    while let Some(error) = next {
        if let Some(tls) = error.downcast_ref::<rustls::Error>() {
            return Some(tls);
        }
        // An I/O error's source is that of the error it wraps, so the wrapped one has to be looked at by itself.
        let wrapped = error.downcast_ref::<std::io::Error>().and_then(std::io::Error::get_ref);
        if let Some(tls) = wrapped.and_then(|wrapped| error_within(wrapped)) {
            return Some(tls);
        }
        next = error.source();
    }
    None
}

/// `sense.example.com` of the TLS library's `DnsName("sense.example.com")`.
#[cfg(any(feature = "sink-http", feature = "qlik", feature = "sink-email", feature = "sink-mqtt"))]
pub(crate) fn plain_name(presented: &str) -> &str {
    presented.split('"').nth(1).unwrap_or(presented)
}

/// Takes one certificate, or every one, and asks nobody who issued it; signatures of the handshake are still checked, so that both sides hold the same keys.
#[derive(Debug)]
struct ByItself {
    provider: Arc<CryptoProvider>,
    only: Option<CertificateDer<'static>>,
}

impl ServerCertVerifier for ByItself {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        _intermediates: &[CertificateDer<'_>],
        _server_name: &ServerName<'_>,
        _ocsp_response: &[u8],
        _now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        match &self.only {
            Some(only) if only != end_entity => Err(rustls::CertificateError::ApplicationVerificationFailure.into()),
            _ => Ok(ServerCertVerified::assertion()),
        }
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        rustls::crypto::verify_tls12_signature(message, cert, dss, &self.provider.signature_verification_algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        rustls::crypto::verify_tls13_signature(message, cert, dss, &self.provider.signature_verification_algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider.signature_verification_algorithms.supported_schemes()
    }
}

#[cfg(test)]
#[cfg(feature = "http-client")]
mod tests {
    use super::*;

    #[test]
    fn a_tls_error_is_found_within_an_io_error() {
        let inner = rustls::Error::AlertReceived(rustls::AlertDescription::UnknownCA);
        let outer = std::io::Error::other(std::io::Error::new(std::io::ErrorKind::InvalidData, inner));
        assert!(error_within(&outer).is_some());
        assert!(error_within(&std::io::Error::other("broken pipe")).is_none());
    }
}
