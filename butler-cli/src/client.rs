//! The client of a running Butler's API.

use std::time::Duration;

use butler_core::config::Config;
use butler_core::tls::{TlsError, Trust, read_certificates, read_identity};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use reqwest::header::{AUTHORIZATION, HeaderValue};
use reqwest::{Method, RequestBuilder, Response, StatusCode};
use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::Exit;
use crate::args::{Global, Server};

/// Asks a running Butler.
#[derive(Debug)]
pub(crate) struct Client {
    http: reqwest::Client,
    base: String,
    timeout: Duration,
    token: Option<HeaderValue>,
}

/// How long a Butler may take for what it knows itself.
const USUAL: Duration = Duration::from_secs(10);
/// And where Qlik Sense has to answer it first: longer than the API allows for that.
const PATIENT: Duration = Duration::from_secs(200);
/// And for what may be large: as long as a working day.
const UNHURRIED: Duration = Duration::from_hours(12);

/// The token to show, out of a file or the environment: an argument would be seen by everybody on the machine.
fn token(server: &Server) -> Result<Option<HeaderValue>, Exit> {
    let (text, place) = match &server.token_file {
        Some(path) => {
            let text = std::fs::read_to_string(path);
            let unreadable = |why| Exit::unavailable(format!("can't read the token from `{}`: {why}", path.display()));
            (text.map_err(unreadable)?, format!("`{}`", path.display()))
        }
        None => match std::env::var("BUTLER_TOKEN") {
            Ok(text) if !text.trim().is_empty() => (text, "BUTLER_TOKEN".to_owned()),
            _ => return Ok(None),
        },
    };
    let text = text.trim();
    let fine = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_graphic());
    let value = fine.then(|| HeaderValue::from_str(&format!("Bearer {text}")).ok()).flatten();
    let mut value = value.ok_or_else(|| Exit::usage(format!("{place} holds no token: one line, without blanks")))?;
    value.set_sensitive(true);
    Ok(Some(value))
}

/// Where the Butler of a configuration answers.
fn configured(config: &Config) -> Result<(String, Trust), Exit> {
    const REMEDY: &str = "`--server` names an address; `butler-cli serve` prints it when it starts";
    if !config.api.enabled {
        return Err(Exit::configuration(format!("`[api] enabled` is off, so nobody can be asked. {REMEDY}")));
    }
    let listen = &config.api.listen;
    if listen.ends_with(":0") {
        return Err(Exit::usage(format!("`[api] listen = \"{listen}\"` takes any free port, so the address can't be known. {REMEDY}")));
    }
    // Whoever listens on all addresses is asked on this machine's own.
    let address = listen.replace("0.0.0.0", "127.0.0.1").replace("[::]", "[::1]");
    let Some(tls) = &config.api.tls else { return Ok((format!("http://{address}"), Trust::Only(Vec::new()))) };
    // The certificate may be for another name than this one; that it is the one of the configuration says more.
    let chain = read_certificates(&config.base_dir.join(&tls.certificate)).map_err(|error| Exit::configuration(error.to_string()))?;
    let own = chain.into_iter().next().map_or(Trust::System, Trust::Exactly);
    Ok((format!("https://{address}"), own))
}

impl Client {
    /// Finds it: by argument, by variable, else by the configuration file's `[api] listen`.
    pub(crate) fn new(global: &Global, server: &Server) -> Result<Self, Exit> {
        let (base, trust) = match &server.server {
            Some(url) if url.starts_with("https://") => (url.trim_end_matches('/').to_owned(), Trust::System),
            // Plain HTTP: the system's roots need not be read.
            Some(url) if url.contains("://") => (url.trim_end_matches('/').to_owned(), Trust::Only(Vec::new())),
            Some(address) => (format!("http://{address}"), Trust::Only(Vec::new())),
            None if global.config.exists() => configured(&Config::from_file(&global.config)?)?,
            None => ("http://127.0.0.1:8080".to_owned(), Trust::Only(Vec::new())),
        };
        let unreadable = |error: TlsError| Exit::unavailable(error.to_string());
        let trust = match &server.ca {
            Some(path) => Trust::Only(read_certificates(path).map_err(unreadable)?),
            None => trust,
        };
        let identity = server.client_certificate.as_ref().zip(server.client_key.as_ref());
        let identity = identity.map(|(certificate, key)| read_identity(certificate, key)).transpose().map_err(unreadable)?;
        let options = butler_core::http_client::ClientOptions { trust, identity, system_proxy: false, redirects: 0, ..Default::default() };
        let http = butler_core::http_client::build(options).map_err(|error| Exit::internal(error.to_string()))?;
        Ok(Self { http, base, timeout: USUAL, token: token(server)? })
    }

    /// The same, which waits until Qlik Sense has answered the Butler.
    pub(crate) fn patient(self) -> Self {
        self.within(PATIENT)
    }

    /// The same, which waits no longer than this.
    pub(crate) fn within(self, timeout: Duration) -> Self {
        Self { timeout, ..self }
    }

    /// The same, which has time for what may be large.
    pub(crate) fn unhurried(self) -> Self {
        self.within(UNHURRIED)
    }

    /// A request that is still to be [sent](Self::send) or [answered](Self::answer).
    pub(crate) fn request(&self, method: Method, path: &str, query: &[(&str, String)]) -> Result<RequestBuilder, Exit> {
        let mut url = self.url(path)?;
        if !query.is_empty() {
            url.query_pairs_mut().extend_pairs(query);
        }
        let request = self.http.request(method, url);
        Ok(match &self.token {
            Some(token) => request.header(AUTHORIZATION, token.clone()),
            None => request,
        })
    }

    pub(crate) async fn get<T: DeserializeOwned>(&self, path: &str, query: &[(&str, String)]) -> Result<T, Exit> {
        self.answer(self.request(Method::GET, path, query)?).await
    }

    pub(crate) async fn post<T: DeserializeOwned>(&self, path: &str, body: &Value) -> Result<T, Exit> {
        let request = self.request(Method::POST, path, &[])?.header("content-type", "application/json").body(body.to_string());
        self.answer(request).await
    }

    pub(crate) async fn delete<T: DeserializeOwned>(&self, path: &str) -> Result<T, Exit> {
        self.answer(self.request(Method::DELETE, path, &[])?).await
    }

    /// Reads a stream of server-sent events to its end, and hands over what each says.
    pub(crate) async fn follow(self, path: &str, mut each: impl FnMut(&str)) -> Result<(), Exit> {
        // It lasts for as long as the Butler does.
        const FOR_GOOD: Duration = Duration::from_hours(24 * 365);
        let client = self.within(FOR_GOOD);
        let mut response = client.send(client.request(Method::GET, path, &[])?).await?;
        let mut text = Vec::new();
        while let Some(more) = response.chunk().await.map_err(|error| client.unreachable(&error))? {
            text.extend_from_slice(&more);
            while let Some(end) = text.iter().position(|byte| *byte == b'\n') {
                let line: Vec<u8> = text.drain(..=end).collect();
                let line = String::from_utf8_lossy(&line);
                if let Some(data) = line.strip_prefix("data:") {
                    each(data.trim());
                }
            }
        }
        Ok(())
    }

    fn url(&self, path: &str) -> Result<reqwest::Url, Exit> {
        let url: Option<reqwest::Url> = format!("{}{path}", self.base).parse().ok();
        url.filter(|url| matches!(url.scheme(), "http" | "https") && url.path() == path)
            .ok_or_else(|| Exit::usage(format!("`{}` is no address of a Butler: expected one such as http://127.0.0.1:8080", self.base)))
    }

    /// What to do when the Butler does not let us in.
    fn locked_out(&self, status: StatusCode, message: &str, remedy: Option<&str>) -> String {
        let remedy = match (status, &self.token) {
            (StatusCode::UNAUTHORIZED, None) => {
                "Name a file that holds a token with `--token-file`, or put the token into the variable BUTLER_TOKEN"
            }
            (StatusCode::UNAUTHORIZED, Some(_)) => {
                "`--token-file` or BUTLER_TOKEN has to give a token that was made there and is neither revoked nor expired"
            }
            // It knows whether it is for want of a scope.
            _ => remedy
                .unwrap_or("Whoever may do everything there makes a token with more scopes: `butler-cli token create NAME --scope SCOPE`"),
        };
        format!("{} does not let you in: {message}. {remedy}", self.base)
    }

    /// Sends a request, and gives what is answered as a value.
    pub(crate) async fn answer<T: DeserializeOwned>(&self, request: RequestBuilder) -> Result<T, Exit> {
        let text = self.send(request).await?.text().await.map_err(|error| self.unreachable(&error))?;
        let base = &self.base;
        serde_json::from_str(&text).map_err(|error| {
            Exit::unavailable(format!(
                "{base} answered what no Butler of this version answers ({error}). `--server` names another address."
            ))
        })
    }

    /// Sends a request, and gives the answer to one that was carried out.
    pub(crate) async fn send(&self, request: RequestBuilder) -> Result<Response, Exit> {
        let response = request.timeout(self.timeout).send().await.map_err(|error| self.unreachable(&error))?;
        let status = response.status();
        if status.is_success() {
            return Ok(response);
        }
        let text = response.text().await.map_err(|error| self.unreachable(&error))?;
        let base = &self.base;
        let error: Value = serde_json::from_str(&text).unwrap_or_default();
        let Some(message) = error["error"].as_str() else {
            return Err(Exit::unavailable(format!(
                "{base} answered {status}, which is no answer of a Butler. `--server` names another address."
            )));
        };
        if status == StatusCode::UNAUTHORIZED || status == StatusCode::FORBIDDEN {
            return Err(Exit::unavailable(self.locked_out(status, message, error["remedy"].as_str())));
        }
        let remedy = error["remedy"].as_str().map(|remedy| format!(". {remedy}")).unwrap_or_default();
        if status.is_client_error() {
            return Err(Exit::usage(format!("{message}{remedy}")));
        }
        Err(Exit::unavailable(format!("{base} answered {status}: {message}{remedy}")))
    }

    fn unreachable(&self, error: &reqwest::Error) -> Exit {
        let (base, why) = (&self.base, root_cause(error));
        Exit::unavailable(format!("no Butler answers at {base} ({why}). Is `butler-cli serve` running? `--server` names another address."))
    }
}

/// A part of a path, whatever it is made of.
pub(crate) fn segment(text: &str) -> impl std::fmt::Display {
    const ESCAPED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.').remove(b'~');
    utf8_percent_encode(text, ESCAPED)
}

/// What lies beneath all layers of an error: the layers above say no more than that something failed.
fn root_cause(error: &dyn std::error::Error) -> String {
    let causes = std::iter::successors(Some(error), |error| error.source());
    causes.last().map(ToString::to_string).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn base(text: &str) -> Result<String, String> {
        let config = Config::from_toml(text, "").expect("a configuration");
        configured(&config).map(|(base, _)| base).map_err(|exit| format!("{}: {}", exit.code(), exit.message()))
    }

    #[test]
    fn a_part_of_a_path_stays_one_and_whoever_is_not_let_in_hears_the_remedy_that_is_known_there() {
        let options = butler_core::http_client::ClientOptions { trust: Trust::Only(Vec::new()), ..Default::default() };
        let http = butler_core::http_client::build(options).expect("a client");
        let client = Client { http, base: "http://127.0.0.1:8080".into(), timeout: USUAL, token: None };
        for (name, path) in [("load-script_1.a", "/api/tokens/load-script_1.a"), ("a/b?c#d å", "/api/tokens/a%2Fb%3Fc%23d%20%C3%A5")] {
            let url = client.url(&format!("/api/tokens/{}", segment(name))).expect("an address");
            assert_eq!((url.path(), url.query(), url.fragment()), (path, None, None));
        }
        let said = |status, remedy| client.locked_out(status, "no", remedy);
        assert!(said(StatusCode::FORBIDDEN, Some("Ask for localhost.")).ends_with("does not let you in: no. Ask for localhost."));
        assert!(said(StatusCode::FORBIDDEN, None).contains("makes a token with more scopes"));
        assert!(said(StatusCode::UNAUTHORIZED, Some("Send a header.")).contains("`--token-file`"));
    }

    #[test]
    fn the_address_of_a_configuration_is_one_that_can_be_asked() {
        assert_eq!(base(""), Ok("http://127.0.0.1:8080".into()));
        assert_eq!(base("api.listen = '0.0.0.0:81'"), Ok("http://127.0.0.1:81".into()));
        assert_eq!(base("api.listen = '[::]:81'"), Ok("http://[::1]:81".into()));
        assert_eq!(base("api.listen = 'butler.example:81'"), Ok("http://butler.example:81".into()));
        assert!(base("api.listen = '127.0.0.1:0'").is_err_and(|fault| fault.starts_with("64: ")));
        assert!(base("api.enabled = false").is_err_and(|fault| fault.starts_with("78: ")));
    }
}
