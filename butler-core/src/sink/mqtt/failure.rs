//! What a fault of the connection means for a delivery.

use rustls::{AlertDescription, Error};

use crate::mqtt::{Fault, FaultKind};
use crate::sink::handshake::{Remedies, explain};
use crate::sink::{DeliveryError, Reason};

pub(super) fn of(fault: Fault) -> DeliveryError {
    let Fault { kind, message, tls } = fault;
    let message = match &tls {
        Some(error) => format!("no trusted connection to the broker: {}", in_words(error)),
        None => message,
    };
    match kind {
        FaultKind::Unreachable => DeliveryError::transient(Reason::Unreachable, message),
        FaultKind::Timeout => DeliveryError::transient(Reason::Timeout, message),
        FaultKind::Tls => DeliveryError::transient(Reason::Tls, message),
        FaultKind::Refused => DeliveryError::transient(Reason::Refused, message),
        FaultKind::Rejected => DeliveryError::permanent(Reason::Rejected, message),
        FaultKind::Throttled => DeliveryError::transient(Reason::Throttled, message),
        FaultKind::Busy => DeliveryError::transient(Reason::ServerError, message),
        FaultKind::TooLarge => DeliveryError::permanent(Reason::TooLarge, message),
        FaultKind::Protocol => DeliveryError::transient(Reason::Protocol, message),
    }
}

fn in_words(error: &Error) -> String {
    const REMEDIES: Remedies = Remedies {
        name: "set `host` to a name that it is for, or `server_name`",
        plain: "set `tls = false` if its port has none (1883), or see whether `port` is right (8883)",
    };
    match error {
        Error::AlertReceived(AlertDescription::CertificateRequired) => {
            "it demands a client certificate; set `client_certificate` and `client_key`".to_owned()
        }
        Error::AlertReceived(AlertDescription::UnknownCA | AlertDescription::BadCertificate | AlertDescription::CertificateUnknown) => {
            "it does not take our client certificate; see whether it knows the issuer of `client_certificate`".to_owned()
        }
        other => explain(other, REMEDIES),
    }
}
