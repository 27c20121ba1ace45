//! HTTPS: the certificate that is shown, who may show one in return, and how both change while the server runs.

use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime};

use arc_swap::ArcSwap;
use rustls::pki_types::CertificateDer;
use rustls::server::WebPkiClientVerifier;
use rustls::{RootCertStore, ServerConfig};
use x509_parser::certificate::X509Certificate;
use x509_parser::prelude::FromDer;

use crate::config::ApiTlsSettings;
use crate::tls::{Identity, TlsError, provider, read_certificates, read_identity};

/// How often it is looked whether a file has changed.
const LOOK: Duration = Duration::from_secs(1);

/// What the server shows and asks for; the files behind it are read again when they change.
#[derive(Debug)]
pub struct ServerTls {
    settings: ApiTlsSettings,
    current: ArcSwap<ServerConfig>,
    files: Mutex<Files>,
}

/// How files look from outside: when each was changed, and how long it is. Nothing of one that can't be looked at.
type Looks = Vec<Option<(SystemTime, u64)>>;

#[derive(Debug)]
struct Files {
    /// Those that were read last, whether or not they were of use.
    read: Looks,
    /// Those that were seen last. Files are written one after the other, so they are read once they look the same twice.
    seen: Looks,
}

impl ServerTls {
    /// Reads the files.
    ///
    /// # Errors
    /// A file that can't be read or is not what it should be; a key that does not fit its certificate.
    pub fn open(settings: ApiTlsSettings) -> Result<Self, TlsError> {
        let looks = looks(&settings);
        let config = server_config(&settings)?;
        let files = Mutex::new(Files { read: looks.clone(), seen: looks });
        Ok(Self { settings, current: ArcSwap::new(Arc::new(config)), files })
    }

    /// What holds for a new connection.
    pub(super) fn current(&self) -> Arc<ServerConfig> {
        self.current.load_full()
    }

    /// Reads the files again when they change, again and again. Never ends.
    pub(super) async fn watch(self: Arc<Self>) {
        loop {
            tokio::time::sleep(LOOK).await;
            let this = Arc::clone(&self);
            // A file on a network drive may hang: that is for another thread. One that panicked has changed nothing.
            let _ = tokio::task::spawn_blocking(move || this.look()).await;
        }
    }

    fn look(&self) {
        let mut files = self.files.lock().unwrap_or_else(PoisonError::into_inner);
        let now = looks(&self.settings);
        let is_settled = std::mem::replace(&mut files.seen, now.clone()) == now;
        if now == files.read || !is_settled {
            return;
        }
        files.read = now;
        match server_config(&self.settings) {
            Ok(config) => {
                self.current.store(Arc::new(config));
                tracing::info!(certificate = %self.settings.certificate.display(), "The API's certificate was changed; new connections get the new one.");
            }
            Err(error) => {
                tracing::warn!(%error, "The API's certificate was changed, but can't be used; the old one is shown until it can.");
            }
        }
    }
}

fn looks(settings: &ApiTlsSettings) -> Looks {
    let look = |path: &Path| std::fs::metadata(path).ok().and_then(|file| Some((file.modified().ok()?, file.len())));
    [Some(&settings.certificate), Some(&settings.key), settings.client_ca.as_ref()].into_iter().flatten().map(|path| look(path)).collect()
}

/// What the files come to.
pub(crate) fn server_config(settings: &ApiTlsSettings) -> Result<ServerConfig, TlsError> {
    let Identity { chain, key } = read_identity(&settings.certificate, &settings.key)?;
    let provider = provider();
    let builder = ServerConfig::builder_with_provider(Arc::clone(&provider)).with_safe_default_protocol_versions()?;
    let builder = match &settings.client_ca {
        None => builder.with_no_client_auth(),
        Some(path) => {
            let fault = |why: String| TlsError::File { what: "certificates", path: path.clone(), why };
            let mut roots = RootCertStore::empty();
            for root in read_certificates(path)? {
                roots.add(root).map_err(|error| fault(error.to_string()))?;
            }
            let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider);
            let verifier = if settings.require_client_certificate { verifier } else { verifier.allow_unauthenticated() };
            builder.with_client_cert_verifier(verifier.build().map_err(|error| fault(error.to_string()))?)
        }
    };
    let mut config = builder.with_single_cert(chain, key)?;
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(config)
}

/// Whose certificate this is, in one line for the log.
pub(super) fn subject(certificate: &CertificateDer<'_>) -> Option<String> {
    const LONGEST: usize = 200;
    let (_, certificate) = X509Certificate::from_der(certificate).ok()?;
    let subject: String = certificate.subject().to_string().chars().filter(|c| !c.is_control()).take(LONGEST).collect();
    (!subject.is_empty()).then_some(subject)
}
