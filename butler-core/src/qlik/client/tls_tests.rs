//! Certificates on both sides, over real TLS.

#![expect(clippy::unwrap_used, reason = "tests")]

use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path;
use std::sync::atomic::Ordering;

use axum::serve::Listener;
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair};
use rustls::pki_types::PrivateKeyDer;
use rustls::pki_types::pem::PemObject;
use rustls::server::WebPkiClientVerifier;
use rustls::{RootCertStore, ServerConfig};
use serde_json::json;
use tempfile::TempDir;
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;

use super::*;
use crate::qlik::circuit::PROBE_EVERY;
use crate::qlik::fake::{Answer, Fake, HastyClock};

/// A site's certificate authority, and the folder that its certificates were exported to.
struct Site {
    issuer: CertifiedIssuer<'static, KeyPair>,
    folder: TempDir,
}

impl Site {
    fn new() -> Self {
        let mut params = CertificateParams::default();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.distinguished_name.push(DnType::CommonName, "site-CA");
        let issuer = CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap();
        let site = Self { issuer, folder: TempDir::new().unwrap() };
        let (certificate, key) = site.issue("QlikClient");
        for (name, pem) in [("client.pem", certificate), ("client_key.pem", key), ("root.pem", site.issuer.pem())] {
            std::fs::write(site.folder.path().join(name), pem).unwrap();
        }
        site
    }

    fn issue(&self, name: &str) -> (String, String) {
        let key = KeyPair::generate().unwrap();
        let params = CertificateParams::new(vec![name.to_owned()]).unwrap();
        (params.signed_by(&key, &self.issuer).unwrap().pem(), key.serialize_pem())
    }

    /// A repository of this site, whose certificate is for `name`.
    async fn start(&self, name: &str) -> Fake {
        self.start_with(name, |_| Answer::Json(json!({"buildVersion": "1"}))).await
    }

    async fn start_with(&self, name: &str, answer: impl Fn(&str) -> Answer + Clone + Send + Sync + 'static) -> Fake {
        let (certificate, key) = self.issue(name);
        let mut roots = RootCertStore::empty();
        roots.add(tls::read_certificates(&self.folder.path().join("root.pem")).unwrap().remove(0)).unwrap();
        let clients = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), tls::provider()).build().unwrap();
        let config = ServerConfig::builder_with_provider(tls::provider()).with_safe_default_protocol_versions().unwrap();
        let chain = vec![rustls::pki_types::CertificateDer::from_pem_slice(certificate.as_bytes()).unwrap()];
        let key = PrivateKeyDer::from_pem_slice(key.as_bytes()).unwrap();
        let config = config.with_client_cert_verifier(clients).with_single_cert(chain, key).unwrap();
        let tcp = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let listener = TlsListener { tcp, acceptor: TlsAcceptor::from(Arc::new(config)) };
        Fake::serve(listener, answer)
    }
}

struct TlsListener {
    tcp: TcpListener,
    acceptor: TlsAcceptor,
}

impl Listener for TlsListener {
    type Io = TlsStream<TcpStream>;
    type Addr = SocketAddr;

    async fn accept(&mut self) -> (Self::Io, Self::Addr) {
        loop {
            let (stream, address) = self.tcp.accept().await.unwrap();
            // Whom the client refuses, or who is refused, comes again or not.
            if let Ok(stream) = self.acceptor.accept(stream).await {
                return (stream, address);
            }
        }
    }

    fn local_addr(&self) -> std::io::Result<SocketAddr> {
        self.tcp.local_addr()
    }
}

fn settings(fake: &Fake, folder: &Path) -> RepositorySettings {
    RepositorySettings {
        client_certificate: folder.join("client.pem"),
        client_key: folder.join("client_key.pem"),
        root_certificate: folder.join("root.pem"),
        ..fake.settings()
    }
}

fn client(settings: RepositorySettings) -> RepositoryClient {
    RepositoryClient::new(settings, Arc::new(HastyClock::default())).unwrap()
}

async fn fault(settings: RepositorySettings, folder: &Path) -> String {
    let client = client(settings);
    let error = client.about().await.unwrap_err();
    assert!(matches!(error, QlikError::Certificate { .. }), "{error}");
    assert!(client.down_since().is_some());
    error.to_string().replace(&client.address(), "sense:4242").replace(&folder.display().to_string(), "certs")
}

#[tokio::test]
async fn both_sides_show_and_check_certificates() {
    let site = Site::new();
    let fake = site.start("127.0.0.1").await;
    let client = client(settings(&fake, site.folder.path()));
    for _ in 0..3 {
        assert_eq!(client.about().await.unwrap().build_version, "1");
    }
}

#[tokio::test]
async fn a_repository_of_another_site_is_not_trusted() {
    let (site, other) = (Site::new(), Site::new());
    let fake = site.start("127.0.0.1").await;
    let settings = settings(&fake, other.folder.path());
    let text = fault(settings, other.folder.path()).await.replace('\\', "/");
    insta::assert_snapshot!(text, @"site `prod`, GET /qrs/about at sense:4242: the repository's certificate was not issued by the root in `certs/root.pem`; export the certificates of this very site again from the QMC, or, if you accept any certificate, set `verify = false`");
    assert!(fake.asked().is_empty());
}

#[tokio::test]
async fn a_certificate_for_another_name_is_not_trusted() {
    let site = Site::new();
    let fake = site.start("sense.example.com").await;
    let text = fault(settings(&fake, site.folder.path()), site.folder.path()).await;
    insta::assert_snapshot!(text, @"site `prod`, GET /qrs/about at sense:4242: the repository's certificate is for other names: sense.example.com; set `host` to one of these names, or, if you accept any certificate, set `verify = false`");
    let unverified = RepositorySettings { verify: false, ..settings(&fake, site.folder.path()) };
    assert!(client(unverified).about().await.is_ok());
}

#[tokio::test]
async fn a_repository_that_refuses_our_certificate_is_told_apart_from_one_that_answers() {
    let (site, other) = (Site::new(), Site::new());
    let fake = site.start("127.0.0.1").await;
    let foreign = RepositorySettings { root_certificate: site.folder.path().join("root.pem"), ..settings(&fake, other.folder.path()) };
    let error = client(foreign).about().await.unwrap_err();
    // The refusal comes after our side is done with the handshake, so the connection may break before it is read.
    assert!(matches!(error, QlikError::Certificate { .. } | QlikError::Unreachable { .. }), "{error}");
    assert!(fake.asked().is_empty());
}

#[tokio::test]
async fn something_that_speaks_no_tls_is_named() {
    let site = Site::new();
    let fake = Fake::start(|_| Answer::Json(json!({}))).await;
    let text = fault(settings(&fake, site.folder.path()), site.folder.path()).await;
    insta::assert_snapshot!(text, @"site `prod`, GET /qrs/about at sense:4242: what answers there does not speak TLS; check the port: the repository's is 4242");
}

#[tokio::test]
async fn renewed_certificates_are_taken_up_without_a_restart() {
    // Ours are refused, or theirs, or both.
    for old in [&["client.pem", "client_key.pem", "root.pem"][..], &["client.pem", "client_key.pem"], &["root.pem"]] {
        let (site, other) = (Site::new(), Site::new());
        for name in ["client.pem", "client_key.pem", "root.pem"].iter().filter(|name| !old.contains(name)) {
            std::fs::copy(site.folder.path().join(name), other.folder.path().join(name)).unwrap();
        }
        let fake = site.start("127.0.0.1").await;
        let clock = HastyClock::default();
        let client = RepositoryClient::new(settings(&fake, other.folder.path()), Arc::new(clock.clone())).unwrap();
        assert!(client.about().await.is_err(), "{old:?}");
        for name in old {
            let (from, to) = (site.folder.path().join(name), other.folder.path().join(name));
            std::fs::copy(from, &to).unwrap();
            touch(&to);
        }
        clock.inner.advance(PROBE_EVERY);
        assert!(client.about().await.is_ok(), "{old:?}");
    }
}

/// Two files may be written within the grain of the file system's clock.
fn touch(file: &Path) {
    let later = SystemTime::now() + Duration::from_secs(5);
    std::fs::File::options().write(true).open(file).unwrap().set_modified(later).unwrap();
}

#[tokio::test]
async fn a_refused_request_takes_up_renewed_certificates_too() {
    use std::sync::atomic::AtomicUsize;

    let site = Site::new();
    let asked = Arc::new(AtomicUsize::new(0));
    let fake = site
        .start_with("127.0.0.1", move |_| match asked.fetch_add(1, Ordering::Relaxed) {
            0 | 1 => Answer::Status(403, "Forbidden"),
            _ => Answer::Json(json!({"buildVersion": "1"})),
        })
        .await;
    let client = client(settings(&fake, site.folder.path()));
    assert!(matches!(client.about().await, Err(QlikError::Forbidden { .. })));
    touch(&site.folder.path().join("client.pem"));
    assert!(client.about().await.is_ok());
    assert_eq!(fake.asked().len(), 3);
}
