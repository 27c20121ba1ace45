//! Writing to the three versions of InfluxDB.

use reqwest::Method;
use reqwest::header::{AUTHORIZATION, HeaderMap, HeaderValue};
use serde_json::Value;
use url::Url;
use url::form_urlencoded::Serializer;

use super::config::{InfluxdbConfig, RetentionPolicy, Version};
use crate::sink::http::{Answer, HttpRemote, Redirects, Request, trust};
use crate::sink::{BuildError, DeliveryError, Reason, Receipt, Retry, SinkContext};

/// A server, and where in it points are written.
#[derive(Debug)]
pub(super) struct Remote {
    version: Version,
    write: HttpRemote,
    /// The query of every write.
    place: String,
    content_type: &'static str,
    /// How a database is made that is missing.
    create: Option<Create>,
    /// The database or bucket, for errors.
    name: String,
}

#[derive(Debug)]
struct Create {
    query: HttpRemote,
    statements: Vec<String>,
}

impl Remote {
    pub(super) fn new(config: &InfluxdbConfig, context: &SinkContext) -> Result<Self, BuildError> {
        let (login, secret) = authorization(config, context)?;
        let mut login = HeaderValue::from_str(&login).map_err(|_| BuildError::Invalid {
            key: "token",
            why: "it can't stand in a header; see that it is one line of plain letters".into(),
        })?;
        login.set_sensitive(true);
        let headers = HeaderMap::from_iter([(AUTHORIZATION, login)]);
        let remote = |path: &str| {
            let url = address(&config.url, path)?;
            let trust = trust(config.ca.as_deref(), config.accept_untrusted, context)?;
            Ok(HttpRemote::new("url", &url, headers.clone(), trust, context)?.with_open_address(&[&secret]))
        };
        let version = config.version()?;
        let mut place = Serializer::new(String::new());
        let (path, content_type, name) = match version {
            Version::One => {
                place.append_pair("db", &config.database).append_pair("precision", "n").append_pair("rp", "");
                ("write", "", &config.database)
            }
            Version::Two => {
                place.append_pair("org", &config.org).append_pair("bucket", &config.bucket).append_pair("precision", "ns");
                ("api/v2/write", "text/plain; charset=utf-8", &config.bucket)
            }
            Version::Three => {
                place.append_pair("bucket", &config.database).append_pair("precision", "ns");
                ("api/v2/write", "text/plain; charset=utf-8", &config.database)
            }
        };
        let create = match version {
            Version::One => {
                Some(Create { query: remote("query")?, statements: statements(&config.database, config.retention_policy.as_ref()) })
            }
            Version::Two | Version::Three => None,
        };
        Ok(Self { version, write: remote(path)?, place: place.finish(), content_type, create, name: name.clone() })
    }

    /// Writes lines; where the database is missing and can be made, it is made first.
    pub(super) async fn write(&self, lines: &str) -> Result<Receipt, DeliveryError> {
        let mut answer = self.post(lines).await?;
        if let (404, Some(create)) = (answer.status.as_u16(), &self.create) {
            create.run().await?;
            tracing::info!(database = %self.name, "The database was missing and has been made.");
            answer = self.post(lines).await?;
        }
        self.judge(answer)
    }

    /// Whether points would be taken: writes none.
    pub(super) async fn check(&self) -> Result<Receipt, DeliveryError> {
        match self.write("").await {
            // A write of nothing is refused by some for being nothing, after everything else about it was found good.
            Err(error) if error.reason == Reason::Rejected && self.version != Version::One => {
                Ok(Receipt { detail: format!("it answers, and knows `{}`", self.name) })
            }
            other => other,
        }
    }

    async fn post(&self, lines: &str) -> Result<Answer, DeliveryError> {
        let request = Request {
            method: Method::POST,
            query: Some(&self.place),
            body: Some((self.content_type, lines)),
            key: None,
            redirects: Redirects::WithMessage,
        };
        self.write.exchange(request).await
    }

    fn judge(&self, answer: Answer) -> Result<Receipt, DeliveryError> {
        let Err(error) = self.write.judge(&answer) else { return Ok(answer.accepted().receipt()) };
        Err(match answer.status.as_u16() {
            // All points wait for the right login, or for the database, and none is refused for what it is.
            401 | 403 => DeliveryError { retry: Retry::Backoff, ..error },
            404 => {
                let message =
                    format!("{}; is there a `{}`, and does `url` lead to an InfluxDB of the right `version`?", error.message, self.name);
                DeliveryError { reason: Reason::Refused, retry: Retry::Backoff, message, ..error }
            }
            _ => error,
        })
    }
}

impl Create {
    async fn run(&self) -> Result<(), DeliveryError> {
        for statement in &self.statements {
            let query = Serializer::new(String::new()).append_pair("q", statement).finish();
            let request = Request { method: Method::POST, query: Some(&query), body: None, key: None, redirects: Redirects::WithMessage };
            let answer = self.query.exchange(request).await?;
            let doing = |error: DeliveryError| {
                let message = format!("the database is missing and can't be made ({statement}): {}", error.message);
                // It may be made by somebody who is allowed to.
                DeliveryError { message, retry: if error.retry == Retry::Never { Retry::Backoff } else { error.retry }, ..error }
            };
            self.query.judge(&answer).map_err(doing)?;
            if let Some(why) = refusal(&answer.text) {
                return Err(doing(DeliveryError::transient(Reason::Refused, self.query.clean(&why))));
            }
        }
        Ok(())
    }
}

/// What the answer to a statement says against it: such an answer is 200 as well.
fn refusal(answer: &str) -> Option<String> {
    let answer: Value = serde_json::from_str(answer).ok()?;
    let of_statements = answer["results"].as_array().into_iter().flatten().find_map(|result| result["error"].as_str());
    of_statements.or(answer["error"].as_str()).map(str::to_owned)
}

fn statements(database: &str, policy: Option<&RetentionPolicy>) -> Vec<String> {
    let quoted = |name: &str| format!("\"{}\"", name.replace('\\', "\\\\").replace('"', "\\\""));
    let mut statements = vec![format!("create database {}", quoted(database))];
    if let Some(RetentionPolicy { name, duration }) = policy {
        let (name, database) = (quoted(name), quoted(database));
        statements.push(format!("create retention policy {name} on {database} duration {duration} replication 1 default"));
    }
    statements
}

/// The value of the header, and what of it is secret.
fn authorization(config: &InfluxdbConfig, context: &SinkContext) -> Result<(String, String), BuildError> {
    use base64::Engine;
    let reveal = |key, secret| context.reveal(secret).map_err(|source| BuildError::Secret { key, source });
    if let Some(token) = &config.token {
        let token = reveal("token", token)?;
        return Ok((format!("Token {token}"), token));
    }
    // Without a login, an empty one: so it always was, and servers that ask for none do not look.
    let (user, password) = match &config.auth {
        Some(auth) => (auth.user.as_str(), reveal("auth.password", &auth.password)?),
        None => ("", String::new()),
    };
    Ok((format!("Basic {}", base64::engine::general_purpose::STANDARD.encode(format!("{user}:{password}"))), password))
}

pub(super) fn address(base: &str, path: &str) -> Result<String, BuildError> {
    let invalid = |why: String| BuildError::Invalid { key: "url", why };
    let mut url =
        Url::parse(base.trim()).map_err(|why| invalid(format!("this is no URL ({why}); it has to look like `http://host:8086`")))?;
    if url.cannot_be_a_base() {
        return Err(invalid("this is no URL of a server; it has to look like `http://host:8086`".into()));
    }
    // A path leads to a server behind a proxy.
    let path = format!("{}/{path}", url.path().trim_end_matches('/'));
    url.set_path(&path);
    url.set_query(None);
    Ok(url.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_quoted_in_statements() {
        let policy = RetentionPolicy { name: "10d".into(), duration: "10d".into() };
        assert_eq!(
            statements(r#"a"b\c"#, Some(&policy)),
            [r#"create database "a\"b\\c""#, r#"create retention policy "10d" on "a\"b\\c" duration 10d replication 1 default"#]
        );
    }

    #[test]
    fn paths_are_kept_before_ours() {
        assert_eq!(address("http://h:8086", "write").unwrap(), "http://h:8086/write");
        assert_eq!(address(" https://h/influx/?x=1 ", "api/v2/write").unwrap(), "https://h/influx/api/v2/write");
        for bad in ["influx.example.com", "mailto:a@b.c", "h:8086"] {
            assert!(address(bad, "write").is_err(), "{bad}");
        }
    }

    #[test]
    fn statements_that_fail_say_so_in_a_good_answer() {
        assert_eq!(refusal(r#"{"results":[{"statement_id":0}]}"#), None);
        assert_eq!(refusal(r#"{"results":[{"statement_id":0,"error":"no"}]}"#).as_deref(), Some("no"));
        assert_eq!(refusal("<html>"), None);
    }
}
