//! Why a remote's TLS was not trusted, in words, with what to do about it.

use rustls::{AlertDescription, CertificateError, Error};

use crate::tls;

/// What somebody can do who finds the remote's name or its TLS wrong; the options differ by sink.
#[derive(Debug, Clone, Copy)]
pub(super) struct Remedies {
    /// The certificate is for another name.
    pub(super) name: &'static str,
    /// What answers there does not speak TLS.
    pub(super) plain: &'static str,
}

/// What is wrong, and what to do: `its certificate is of an issuer that is not trusted; set ...`.
pub(super) fn explain(error: &Error, remedies: Remedies) -> String {
    const ISSUER: &str = "set `ca` to a file with the certificate of that issuer, or take any certificate with `accept_untrusted = true`";
    let Remedies { name, plain } = remedies;
    match error {
        Error::InvalidCertificate(CertificateError::UnknownIssuer) => {
            format!("its certificate is of an issuer that is not trusted; {ISSUER}")
        }
        Error::InvalidCertificate(CertificateError::NotValidForNameContext { expected, presented }) => {
            const MOST: usize = 5;
            let names: Vec<_> = presented.iter().take(MOST).map(|name| tls::plain_name(name)).collect();
            let names = if names.is_empty() { "no name at all".to_owned() } else { names.join(", ") };
            let more = if presented.len() > MOST { ", ..." } else { "" };
            format!("its certificate is for {names}{more} and not for {}; {name}", expected.to_str())
        }
        Error::InvalidCertificate(CertificateError::NotValidForName) => format!("its certificate is for another name; {name}"),
        Error::InvalidCertificate(CertificateError::Expired | CertificateError::ExpiredContext { .. }) => {
            "its certificate has expired; renew it there, or compare the clocks of both machines".to_owned()
        }
        Error::InvalidCertificate(CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. }) => {
            "its certificate is not valid yet; compare the clocks of both machines".to_owned()
        }
        Error::InvalidCertificate(other) => format!("its certificate was not accepted ({other:?}); {ISSUER}"),
        Error::InvalidMessage(_) => format!("what answers there does not speak TLS; {plain}"),
        Error::AlertReceived(AlertDescription::CertificateRequired) => {
            "it demands a client certificate, which Butler does not show".to_owned()
        }
        Error::AlertReceived(alert) => format!("it broke off the handshake (TLS alert {alert:?}); its own log may tell why"),
        other => format!("{other}; {plain}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rustls::pki_types::ServerName;

    #[test]
    fn what_is_wrong_has_its_remedy() {
        let remedies = Remedies { name: "use its name", plain: "check the address" };
        let presented = (1..8).map(|number| format!("DnsName(\"mail{number}.example.com\")")).collect();
        let expected = ServerName::try_from("smtp.example.com").unwrap();
        let all = [
            Error::InvalidCertificate(CertificateError::UnknownIssuer),
            Error::InvalidCertificate(CertificateError::NotValidForNameContext { expected: expected.clone(), presented }),
            Error::InvalidCertificate(CertificateError::NotValidForNameContext { expected, presented: Vec::new() }),
            Error::InvalidCertificate(CertificateError::Expired),
            Error::InvalidCertificate(CertificateError::NotValidYet),
            Error::InvalidCertificate(CertificateError::BadEncoding),
            Error::InvalidMessage(rustls::InvalidMessage::InvalidContentType),
            Error::AlertReceived(AlertDescription::CertificateRequired),
            Error::AlertReceived(AlertDescription::ProtocolVersion),
            Error::HandshakeNotComplete,
        ];
        insta::assert_snapshot!(all.map(|error| explain(&error, remedies)).join("\n"));
    }
}
