//! `token`: who may use a running Butler's API.

use butler_core::api::answers::{ListedToken, MadeToken, NewToken};
use butler_core::config::Period;
use jiff::tz::TimeZone;

use crate::args::{Format, Global, Token, TokenWhat};
use crate::client::{Client, segment};
use crate::table::table;
use crate::{Exit, output, story};

pub(crate) async fn run(global: &Global, token: &Token) -> Result<(), Exit> {
    let client = Client::new(global, &token.server)?;
    match &token.what {
        TokenWhat::Create { name, scopes, expires } => {
            let new = NewToken { name: name.clone(), scopes: scopes.iter().copied().collect(), expires_in: expires.map(Period) };
            let new = serde_json::to_value(&new).map_err(|error| Exit::internal(error.to_string()))?;
            let made: MadeToken = client.post("/api/tokens", &new).await?;
            match global.output {
                Format::Json => output::json(&made),
                Format::Text => {
                    // The token by itself on stdout, so that it can be piped to where it is kept.
                    output::line(&made.secret);
                    output::note(&format!(
                        "The token `{}` is made; it is not shown again. Who bears it may: {}.",
                        made.token.name, made.token.scopes
                    ));
                    Ok(())
                }
            }
        }
        TokenWhat::List => {
            let tokens: Vec<ListedToken> = client.get("/api/tokens", &[]).await?;
            match global.output {
                Format::Json => output::json(&tokens),
                Format::Text => {
                    output::foreign(&list(&tokens, &TimeZone::system()));
                    Ok(())
                }
            }
        }
        TokenWhat::Revoke { name } => {
            let revoked: ListedToken = client.delete(&format!("/api/tokens/{}", segment(name))).await?;
            match global.output {
                Format::Json => output::json(&revoked),
                Format::Text => {
                    output::line(format!("{name} is revoked"));
                    Ok(())
                }
            }
        }
    }
}

fn list(tokens: &[ListedToken], zone: &TimeZone) -> String {
    if tokens.is_empty() {
        return "no tokens\n".to_owned();
    }
    let time = |at: Option<jiff::Timestamp>, otherwise: &str| at.map_or_else(|| otherwise.to_owned(), |at| story::time(at, zone));
    let rows: Vec<Vec<String>> = tokens
        .iter()
        .map(|token| {
            vec![
                token.name.clone(),
                time(token.created, "configured"),
                time(token.expires, "never"),
                time(token.last_used, "never"),
                token.scopes.to_string(),
            ]
        })
        .collect();
    table(&["NAME", "CREATED", "EXPIRES", "LAST USED", "SCOPES"], &rows, 160)
}
