//! The site's certificates: its own authority, the server's, and the one that is exported for Butler.

use std::fs::{self, OpenOptions};
use std::io::{self, Write};
use std::net::IpAddr;
use std::path::Path;
use std::sync::Arc;

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, DnType, ExtendedKeyUsagePurpose, IsCa, KeyPair, KeyUsagePurpose};
use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::ServerCertVerifier;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime};
use rustls::server::WebPkiClientVerifier;
use rustls::{RootCertStore, ServerConfig};

use super::error::SiteError;
use crate::tls::provider;

/// Whom the exported certificate is for, on every real site.
const CLIENT: &str = "QlikClient";

const ROOT: &str = "root.pem";
const CLIENT_CERTIFICATE: &str = "client.pem";
const CLIENT_KEY: &str = "client_key.pem";
const SERVER_CERTIFICATE: &str = "server.pem";
const SERVER_KEY: &str = "server_key.pem";
const ALL: [&str; 5] = [ROOT, CLIENT_CERTIFICATE, CLIENT_KEY, SERVER_CERTIFICATE, SERVER_KEY];

/// Certificates and keys in PEM form, in the order of [`ALL`].
pub(super) struct Certificates([String; 5]);

impl std::fmt::Debug for Certificates {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Certificates")
    }
}

impl Certificates {
    /// New ones. The server's is for these names and addresses.
    pub(super) fn generate(node: &str, names: &[String]) -> Result<Self, rcgen::Error> {
        let mut root = params(&format!("{node}-CA"), &[])?;
        root.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        root.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        let root = CertifiedIssuer::self_signed(root, KeyPair::generate()?)?;
        let issue = |name: &str, names: &[String], usage| {
            let mut params = params(name, names)?;
            params.extended_key_usages = vec![usage];
            let key = KeyPair::generate()?;
            Ok::<_, rcgen::Error>([params.signed_by(&key, &root)?.pem(), key.serialize_pem()])
        };
        let [client, client_key] = issue(CLIENT, &[], ExtendedKeyUsagePurpose::ClientAuth)?;
        let [server, server_key] = issue(node, names, ExtendedKeyUsagePurpose::ServerAuth)?;
        Ok(Self([root.pem(), client, client_key, server, server_key]))
    }

    /// Those of a folder, if it has a whole set; else new ones, which are written there.
    pub(super) fn of_folder(folder: &Path, node: &str, names: &[String]) -> Result<Self, SiteError> {
        let fault = |why: String| SiteError::Certificates { folder: folder.to_owned(), why };
        let there: Vec<_> = ALL.into_iter().filter(|name| folder.join(name).exists()).collect();
        if there.len() == ALL.len() {
            let read = |name| fs::read_to_string(folder.join(name)).map_err(|why| fault(format!("can't read `{name}`: {why}")));
            let [root, client, client_key, server, server_key] = ALL.map(read);
            let set = Self([root?, client?, client_key?, server?, server_key?]);
            set.check(names).map_err(|why| fault(format!("{why}. Delete the files there, and they are made anew")))?;
            return Ok(set);
        }
        // They may be those of a real site.
        if let Some(name) = there.first() {
            return Err(fault(format!("it holds a `{name}`, but not all of {}; it is left alone. Name another folder", ALL.join(", "))));
        }
        let set = Self::generate(node, names).map_err(SiteError::Generate)?;
        set.write(folder, &ALL).map_err(|why| fault(format!("can't write there: {why}")))?;
        Ok(set)
    }

    /// Writes what is exported for a Butler: `client.pem`, `client_key.pem`, `root.pem`.
    pub(super) fn export(&self, folder: &Path) -> io::Result<()> {
        self.write(folder, &[ROOT, CLIENT_CERTIFICATE, CLIENT_KEY])
    }

    fn write(&self, folder: &Path, names: &[&str]) -> io::Result<()> {
        fs::create_dir_all(folder)?;
        for (name, pem) in ALL.iter().zip(&self.0).filter(|(name, _)| names.contains(name)) {
            let mut options = OpenOptions::new();
            options.write(true).create(true).truncate(true);
            #[cfg(unix)]
            if name.ends_with("_key.pem") {
                std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
            }
            options.open(folder.join(name))?.write_all(pem.as_bytes())?;
        }
        Ok(())
    }

    /// Whether clients that trust the root will take the server for these names.
    fn check(&self, names: &[String]) -> Result<(), String> {
        let text = |error: rustls::Error| format!("its files are no certificates and keys that fit together ({error})");
        self.server_config().map_err(text)?;
        let server = self.certificate(SERVER_CERTIFICATE).map_err(text)?;
        let verifier = WebPkiServerVerifier::builder_with_provider(Arc::new(self.roots().map_err(text)?), provider());
        let verifier = verifier.build().map_err(|error| format!("its `{ROOT}` can't be used ({error})"))?;
        for name in names {
            let named = ServerName::try_from(name.as_str()).map_err(|_| format!("`{name}` is no name of a server"))?;
            let fits = verifier.verify_server_cert(&server, &[], &named, &[], UnixTime::now());
            fits.map_err(|error| format!("its `{SERVER_CERTIFICATE}` does not prove the name `{name}` ({error})"))?;
        }
        Ok(())
    }

    /// A server that shows its certificate and wants to see one that the root has issued.
    pub(super) fn server_config(&self) -> Result<ServerConfig, rustls::Error> {
        let clients = WebPkiClientVerifier::builder_with_provider(Arc::new(self.roots()?), provider()).build();
        let clients = clients.map_err(|why| rustls::Error::General(why.to_string()))?;
        let key = PrivateKeyDer::from_pem_slice(self.pem(SERVER_KEY).as_bytes());
        let key = key.map_err(|why| rustls::Error::General(format!("{SERVER_KEY}: {why}")))?;
        let builder = ServerConfig::builder_with_provider(provider()).with_safe_default_protocol_versions()?;
        builder.with_client_cert_verifier(clients).with_single_cert(vec![self.certificate(SERVER_CERTIFICATE)?], key)
    }

    fn roots(&self) -> Result<RootCertStore, rustls::Error> {
        let mut roots = RootCertStore::empty();
        roots.add(self.certificate(ROOT)?)?;
        Ok(roots)
    }

    fn certificate(&self, name: &str) -> Result<CertificateDer<'static>, rustls::Error> {
        CertificateDer::from_pem_slice(self.pem(name).as_bytes()).map_err(|why| rustls::Error::General(format!("{name}: {why}")))
    }

    fn pem(&self, name: &str) -> &str {
        ALL.iter().zip(&self.0).find(|(known, _)| **known == name).map_or("", |(_, pem)| pem)
    }
}

fn params(name: &str, names: &[String]) -> Result<CertificateParams, rcgen::Error> {
    let mut params = CertificateParams::new(names.to_vec())?;
    params.distinguished_name.push(DnType::CommonName, name);
    Ok(params)
}

/// The names by which a server that listens at `address` is reached, those of `more` last.
pub(super) fn names(address: IpAddr, more: &[String]) -> Vec<String> {
    let mut names: Vec<String> = ["localhost", "127.0.0.1", "::1"].map(str::to_owned).into();
    let own = (!address.is_unspecified()).then(|| address.to_string());
    for name in own.into_iter().chain(more.iter().cloned()) {
        if !names.contains(&name) {
            names.push(name);
        }
    }
    names
}
