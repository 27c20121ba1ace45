//! HTTPS: what is shown, what is asked for, and files that change while the server runs.

use std::path::Path;
use std::sync::Arc;

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair};
use rustls::pki_types::{CertificateDer, PrivateKeyDer};

use super::tests::{PATIENCE, Served, serve_by};
use super::{Access, ServerTls};
use crate::clock::SystemClock;
use crate::config::{AccessSettings, Anonymous, ApiTlsSettings, Scope};
use crate::http_client::{ClientOptions, build};
use crate::store::memory::MemoryStore;
use crate::tls::{Identity, Trust};

fn params(name: &str) -> CertificateParams {
    let mut params = CertificateParams::new(vec!["localhost".to_owned()]).unwrap();
    params.distinguished_name.push(DnType::CommonName, name);
    params
}

/// Writes a certificate of its own issue, and gives it.
fn renew(folder: &Path, name: &str) -> CertificateDer<'static> {
    let key = KeyPair::generate().unwrap();
    let certificate = params(name).self_signed(&key).unwrap();
    std::fs::write(folder.join("key.pem"), key.serialize_pem()).unwrap();
    std::fs::write(folder.join("certificate.pem"), certificate.pem()).unwrap();
    certificate.der().clone()
}

fn settings(folder: &Path, client_ca: bool, required: bool) -> ApiTlsSettings {
    ApiTlsSettings {
        certificate: folder.join("certificate.pem"),
        key: folder.join("key.pem"),
        client_ca: client_ca.then(|| folder.join("ca.pem")),
        require_client_certificate: required,
    }
}

/// What a client with this trust and identity is answered.
async fn ask(served: &Served, trust: CertificateDer<'static>, identity: Option<Identity>, path: &str) -> Result<u16, reqwest::Error> {
    let options =
        ClientOptions { trust: Trust::Exactly(trust), identity, system_proxy: false, timeout: PATIENCE, ..ClientOptions::default() };
    let url = format!("https://localhost:{}{path}", served.address.port());
    build(options).unwrap().get(url).send().await.map(|response| response.status().as_u16())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_certificate_that_is_replaced_is_shown_to_new_connections() {
    let folder = tempfile::tempdir().unwrap();
    let first = renew(folder.path(), "first");
    let tls = ServerTls::open(settings(folder.path(), false, false)).unwrap();
    let served = serve_by(|server| server.over_tls(Some(tls))).await;
    assert_eq!(ask(&served, first.clone(), None, "/api/status").await.unwrap(), 200);
    let shows = async |which: &CertificateDer<'static>| {
        let wait = async { while ask(&served, which.clone(), None, "/healthz").await.is_err() {} };
        tokio::time::timeout(PATIENCE, wait).await.expect("it never shows that");
    };
    let second = renew(folder.path(), "second, with a longer name");
    shows(&second).await;
    assert!(ask(&served, first, None, "/healthz").await.is_err());
    // What is of no use leaves the old one in place, and the next that is of use takes it.
    std::fs::write(folder.path().join("certificate.pem"), "no certificate").unwrap();
    std::fs::remove_file(folder.path().join("key.pem")).unwrap();
    shows(&second).await;
    shows(&renew(folder.path(), "third")).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn who_shows_a_certificate_may_do_what_it_is_good_for() {
    let folder = tempfile::tempdir().unwrap();
    let own = renew(folder.path(), "server");
    let issuer = |name: &str| {
        let mut params = params(name);
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap()
    };
    let (trusted, other) = (issuer("ours"), issuer("theirs"));
    std::fs::write(folder.path().join("ca.pem"), trusted.pem()).unwrap();
    let issued = |issuer: &CertifiedIssuer<'_, KeyPair>| {
        let key = KeyPair::generate().unwrap();
        let certificate = params("load scripts").signed_by(&key, issuer).unwrap();
        Identity { chain: vec![certificate.der().clone()], key: PrivateKeyDer::try_from(key.serialize_der()).unwrap() }
    };
    let access =
        AccessSettings { anonymous: Anonymous::Nobody, of_certificates: [Scope::Read].into_iter().collect(), ..AccessSettings::default() };
    let clock = Arc::new(SystemClock::default());
    let store = Arc::new(MemoryStore::new(clock.clone()));
    for required in [false, true] {
        let access = Access::open(&access, store.clone(), clock.clone()).await.unwrap();
        let tls = ServerTls::open(settings(folder.path(), true, required)).unwrap();
        let served = serve_by(|server| server.admitting(access).over_tls(Some(tls))).await;
        assert_eq!(ask(&served, own.clone(), Some(issued(&trusted)), "/api/status").await.unwrap(), 200);
        assert_eq!(ask(&served, own.clone(), Some(issued(&trusted)), "/api/tokens").await.unwrap(), 403);
        assert!(ask(&served, own.clone(), Some(issued(&other)), "/healthz").await.is_err(), "issued by a stranger");
        let without = ask(&served, own.clone(), None, "/api/status").await;
        assert_eq!(without.ok(), (!required).then_some(401));
    }
}

#[test]
fn files_of_no_use_are_named() {
    let folder = tempfile::tempdir().unwrap();
    let open = |client_ca| ServerTls::open(settings(folder.path(), client_ca, false)).map(drop).map_err(|error| error.to_string());
    assert!(open(false).unwrap_err().contains("certificate.pem"));
    renew(folder.path(), "server");
    assert!(open(false).is_ok());
    assert!(open(true).unwrap_err().contains("ca.pem"));
    let key = KeyPair::generate().unwrap().serialize_pem();
    std::fs::write(folder.path().join("key.pem"), key).unwrap();
    assert!(open(false).is_err(), "the key of another certificate");
}

#[tokio::test(flavor = "multi_thread")]
async fn who_never_agrees_on_keys_holds_nobody_up() {
    let folder = tempfile::tempdir().unwrap();
    let own = renew(folder.path(), "server");
    let tls = ServerTls::open(settings(folder.path(), false, false)).unwrap();
    let limits = super::Limits { handshake: std::time::Duration::from_millis(100), ..super::Limits::default() };
    let served = serve_by(|server| server.limited(limits).over_tls(Some(tls))).await;
    let mut silent = tokio::net::TcpStream::connect(served.address).await.unwrap();
    assert_eq!(ask(&served, own, None, "/healthz").await.unwrap(), 200);
    let mut some = [0; 8];
    let read = tokio::io::AsyncReadExt::read(&mut silent, &mut some);
    assert_eq!(tokio::time::timeout(PATIENCE, read).await.expect("it is never closed").unwrap_or(0), 0);
}

/// What was encrypted for it is kept between it and us, and looks as if it had been taken.
#[tokio::test(flavor = "multi_thread")]
async fn who_takes_nothing_of_its_answers_is_seen_through_the_encryption() {
    let folder = tempfile::tempdir().unwrap();
    let own = renew(folder.path(), "server");
    let tls = ServerTls::open(settings(folder.path(), false, false)).unwrap();
    let limits = super::Limits { answer: std::time::Duration::from_millis(100), ..super::Limits::default() };
    let served = serve_by(|server| server.limited(limits).over_tls(Some(tls))).await;
    let client = crate::tls::client_config(Trust::Exactly(own.clone()), None).unwrap();
    let socket = tokio::net::TcpSocket::new_v4().unwrap();
    socket.set_recv_buffer_size(4096).unwrap();
    let stream = socket.connect(served.address).await.unwrap();
    let name = rustls::pki_types::ServerName::try_from("localhost").unwrap();
    let mut greedy = tokio_rustls::TlsConnector::from(Arc::new(client)).connect(name, stream).await.unwrap();
    let requests = b"GET /api/openapi.json HTTP/1.1\r\nhost: localhost\r\n\r\n".repeat(1000);
    let greed = async {
        // Whoever is closed down is not listened to either.
        let _ = tokio::io::AsyncWriteExt::write_all(&mut greedy, &requests).await;
        let _ = tokio::io::AsyncWriteExt::flush(&mut greedy).await;
        std::future::pending::<()>().await;
    };
    let gone = async {
        while timed_out(&served, &own).await < Some(1) {
            tokio::task::yield_now().await;
        }
    };
    tokio::select! {
        () = greed => {}
        gone = tokio::time::timeout(PATIENCE, gone) => gone.expect("it is never closed"),
    }
}

/// How many connections had to go because their time was up. Nothing if whoever asks had to go itself, on a busy machine.
async fn timed_out(served: &Served, trust: &CertificateDer<'static>) -> Option<u64> {
    let options =
        ClientOptions { trust: Trust::Exactly(trust.clone()), system_proxy: false, timeout: PATIENCE, ..ClientOptions::default() };
    let url = format!("https://localhost:{}/api/status", served.address.port());
    let answer = build(options).unwrap().get(url).send().await.ok()?.text().await.ok()?;
    serde_json::from_str::<serde_json::Value>(&answer).ok()?["connections"]["timed_out"].as_u64()
}
