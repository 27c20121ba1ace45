//! Why the two sides of a connection do not trust each other, told so that an administrator can mend it.

use std::path::PathBuf;

use rustls::{AlertDescription, CertificateError};

use crate::tls;

/// Who is at the other end.
#[derive(Debug, Clone, Copy)]
pub(super) struct Peer {
    /// `repository`, `engine`.
    pub(super) name: &'static str,
    /// Where it listens on real sites.
    pub(super) port: u16,
}

/// What a TLS error means here, and what to do.
pub(super) fn explain_tls(error: &rustls::Error, root: Option<&PathBuf>, peer: Peer) -> (String, String) {
    use CertificateError as Cert;
    let Peer { name, port } = peer;
    let root = root.map_or_else(|| "root.pem".into(), |path| path.display().to_string());
    let again = "export the certificates of this very site again from the QMC";
    match error {
        rustls::Error::InvalidCertificate(Cert::UnknownIssuer | Cert::BadSignature) => (
            format!("the {name}'s certificate was not issued by the root in `{root}`"),
            format!("{again}, or, if you accept any certificate, set `verify = false`"),
        ),
        rustls::Error::InvalidCertificate(Cert::NotValidForNameContext { presented, .. }) => (
            format!(
                "the {name}'s certificate is for other names: {}",
                presented.iter().map(|name| tls::plain_name(name)).collect::<Vec<_>>().join(", ")
            ),
            "set `host` to one of these names, or, if you accept any certificate, set `verify = false`".into(),
        ),
        rustls::Error::InvalidCertificate(Cert::NotValidForName) => (
            format!("the {name}'s certificate is for another name"),
            "set `host` to the name that it was issued for, or, if you accept any certificate, set `verify = false`".into(),
        ),
        rustls::Error::InvalidCertificate(
            Cert::Expired | Cert::ExpiredContext { .. } | Cert::NotValidYet | Cert::NotValidYetContext { .. },
        ) => (
            format!("the {name}'s certificate has expired or is not valid yet"),
            format!("compare the clocks of both machines, renew the site's certificates, and {again}"),
        ),
        rustls::Error::InvalidCertificate(other) => {
            (format!("the {name}'s certificate was not accepted: {other:?}"), format!("{again}, or set `verify = false`"))
        }
        rustls::Error::AlertReceived(alert) if refuses_us(error) => {
            (format!("the {name} refused our client certificate (TLS alert {alert:?})"), again.into())
        }
        rustls::Error::InvalidMessage(_) => {
            ("what answers there does not speak TLS".into(), format!("check the port: the {name}'s is {port}"))
        }
        other => (format!("the TLS handshake failed: {other}"), format!("check the port, and {again}")),
    }
}

/// Whether the other side broke off the handshake because of the client's certificate.
pub(super) fn refuses_us(error: &rustls::Error) -> bool {
    use AlertDescription as Alert;
    let rustls::Error::AlertReceived(alert) = error else { return false };
    matches!(
        alert,
        Alert::CertificateRequired
            | Alert::BadCertificate
            | Alert::UnsupportedCertificate
            | Alert::CertificateRevoked
            | Alert::CertificateExpired
            | Alert::CertificateUnknown
            | Alert::UnknownCA
            | Alert::AccessDenied
            | Alert::DecryptError
            | Alert::NoCertificate
            | Alert::HandshakeFailure
    )
}
