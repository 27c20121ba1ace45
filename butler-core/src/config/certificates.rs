//! The certificates by which a site's repository is reached.

use std::path::PathBuf;

use super::issues::Issues;
use super::load::Config;
use super::model::SiteConfig;
use crate::tls::{TlsError, Trust, client_config, read_certificates, read_identity};

const EXPORT: &str = "export them in the QMC (Certificates, with this machine's name, in platform independent PEM format, without a password) and put `client.pem`, \
                      `client_key.pem` and `root.pem` there";

/// The files.
pub(super) struct Files {
    pub(super) client_certificate: PathBuf,
    pub(super) client_key: PathBuf,
    pub(super) root_certificate: PathBuf,
}

/// Where a site's certificates are; `None` if it has none, or if something is wrong with them, which then stands in `issues`.
pub(super) fn find(config: &Config, site: &SiteConfig, issues: &mut Issues) -> Option<Files> {
    let given = [
        ("client_certificate", "client.pem", &site.client_certificate),
        ("client_key", "client_key.pem", &site.client_key),
        ("root_certificate", "root.pem", &site.root_certificate),
    ];
    let folder = site.certificates.as_ref().map(|folder| config.base_dir.join(folder));
    if folder.is_none() && given.iter().all(|(_, _, path)| path.is_none()) {
        let message = "there are none, so the repository is not asked: messages say what the datagrams say and no more, and matchers of tags, properties, owners and streams can't be decided";
        issues.warn_with_help("certificates", message, EXPORT);
        return None;
    }
    let before = issues.len();
    if let Some(folder) = folder.as_ref().filter(|folder| !folder.is_dir()) {
        issues.at_with_help("certificates", format!("there is no folder `{}`", folder.display()), EXPORT);
    }
    let mut places = given.map(|(key, name, path)| match (path, &folder) {
        (Some(path), _) => Some((key, config.base_dir.join(path))),
        (None, Some(folder)) => folder.is_dir().then(|| ("certificates", folder.join(name))),
        (None, None) => {
            issues.at_with_help(key, "missing", format!("name it, or the folder that holds it as `{name}` with `certificates`"));
            None
        }
    });
    // A folder in which several are missing is the wrong folder, which is one fault.
    let mut missing: Vec<(&str, String)> = Vec::new();
    for place in &mut places {
        if let Some((key, path)) = place.take_if(|(_, path)| !path.is_file()) {
            let shown = format!("`{}`", path.display());
            match missing.last_mut().filter(|(before, _)| *before == key) {
                Some((_, all)) => *all = format!("{all}, nor {shown}"),
                None => missing.push((key, shown)),
            }
        }
    }
    for (key, all) in missing {
        issues.at_with_help(key, format!("there is no file {all}"), EXPORT);
    }
    let [certificate, key, root] = places;
    let roots = root.as_ref().and_then(|(at, path)| noted(at, read_certificates(path), issues));
    let chain = certificate.as_ref().and_then(|(at, path)| noted(at, read_certificates(path), issues));
    let identity = match (&certificate, &chain, &key) {
        (Some((_, certificate)), Some(_), Some((at, key))) => noted(at, read_identity(certificate, key), issues),
        _ => None,
    };
    // Each file is what it should be; whether they fit together is seen when they are put together.
    if let (Some((at, _)), Some(roots), Some(identity)) = (&certificate, roots, identity)
        && let Err(error) = client_config(Trust::Only(roots), Some(identity))
    {
        issues.at_with_help(at, format!("certificates and key do not fit together, or are damaged ({error})"), EXPORT);
    }
    if issues.len() > before {
        return None;
    }
    Some(Files { client_certificate: certificate?.1, client_key: key?.1, root_certificate: root?.1 })
}

fn noted<T>(key: &str, result: Result<T, TlsError>, issues: &mut Issues) -> Option<T> {
    result.map_err(|error| issues.at_with_help(key, error.to_string(), EXPORT)).ok()
}
