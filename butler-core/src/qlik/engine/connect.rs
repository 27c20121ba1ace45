//! From an address to a WebSocket.

use std::net::IpAddr;
use std::sync::Arc;

use rustls::pki_types::ServerName;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::http::HeaderValue;
use tokio_tungstenite::tungstenite::protocol::WebSocketConfig;
use tokio_tungstenite::{WebSocketStream, client_async_with_config};

use super::EngineSettings;
use super::error::{EngineError, EngineRequest};
use super::session::LARGEST;
use crate::tls::{self, TlsError, Trust};

/// A connection.
pub(super) trait Stream: AsyncRead + AsyncWrite + Unpin + Send + Sync {}
impl<T: AsyncRead + AsyncWrite + Unpin + Send + Sync> Stream for T {}

pub(super) type Socket = WebSocketStream<Box<dyn Stream>>;

/// Connects. The certificate files are read anew each time, so whoever renews them need not restart anything.
pub(super) async fn dial(settings: &EngineSettings, path: &str, request: &EngineRequest) -> Result<Socket, EngineError> {
    let asked = || Box::new(request.clone());
    let root = Some(settings.root_certificate.as_path());
    let connector = secured(settings).map_err(|why| EngineError::setup(settings, &why))?;
    let host = bare(&settings.host);
    let tcp = TcpStream::connect((host, settings.port)).await.map_err(|why| EngineError::unreachable(asked(), &why, None))?;
    // Calls are small and are wanted at once; without it they are only later.
    let _ = tcp.set_nodelay(true);
    let name = ServerName::try_from(host.to_owned()).map_err(|_| EngineError::Setup {
        site: settings.site.clone(),
        why: format!("`{host}` is no name that a certificate could be for; write a host name or an address as the engine's `host`"),
    })?;
    let stream: Box<dyn Stream> =
        Box::new(connector.connect(name, tcp).await.map_err(|why| EngineError::unreachable(asked(), &why, root))?);
    let failed = |error| EngineError::connecting(asked(), error, root);
    let mut upgrade = format!("wss://{}{path}", request.address).into_client_request().map_err(failed)?;
    // It was checked when the client was made.
    if let Ok(user) = HeaderValue::from_str(&settings.user) {
        upgrade.headers_mut().insert("x-qlik-user", user);
    }
    // The engine sends each message in one frame.
    let config = WebSocketConfig::default().max_message_size(Some(LARGEST)).max_frame_size(Some(LARGEST));
    Ok(client_async_with_config(upgrade, stream, Some(config)).await.map_err(failed)?.0)
}

fn secured(settings: &EngineSettings) -> Result<TlsConnector, TlsError> {
    let trust = if settings.verify { Trust::Only(tls::read_certificates(&settings.root_certificate)?) } else { Trust::Anything };
    let identity = tls::read_identity(&settings.client_certificate, &settings.client_key)?;
    Ok(TlsConnector::from(Arc::new(tls::client_config(trust, Some(identity))?)))
}

/// An address of version 6 without the brackets that it has in a URL.
fn bare(host: &str) -> &str {
    host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host)
}

/// Host and port, as they stand in a URL.
pub(super) fn address(settings: &EngineSettings) -> String {
    let host = bare(&settings.host);
    match host.parse() {
        Ok(IpAddr::V6(_)) => format!("[{host}]:{}", settings.port),
        _ => format!("{host}:{}", settings.port),
    }
}

impl EngineError {
    fn setup(settings: &EngineSettings, why: &TlsError) -> Self {
        let remedy = "export the certificates of this site from the QMC (PEM format, no password) and set `certificates` to their folder";
        Self::Setup { site: settings.site.clone(), why: format!("{why}; {remedy}") }
    }
}
