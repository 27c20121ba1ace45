//! `check`: what is wrong with the configuration.

use butler_core::config::{Config, ConfigError, Issue};
use butler_core::sink::Registry;
use serde_json::{Value, json};

use crate::args::{Check, Format, Global};
use crate::{Exit, output};

pub(crate) fn run(global: &Global, check: &Check) -> Result<(), Exit> {
    let checked = Config::from_file(&global.config).and_then(|config| {
        let warnings = config.check(&Registry::with_compiled_in())?;
        Ok((config, warnings))
    });
    match (global.output, checked) {
        (Format::Json, checked) => {
            let (is_valid, issues): (bool, Vec<Value>) = match &checked {
                Ok((_, warnings)) => (true, warnings.iter().map(as_json).collect()),
                Err(ConfigError::Invalid(issues)) => (false, issues.iter().map(as_json).collect()),
                Err(error) => (false, vec![json!({ "message": error.to_string() })]),
            };
            output::json(&json!({ "valid": is_valid, "issues": issues }))?;
            checked.map(drop).map_err(|_| Exit::configuration(format!("{} is not valid", global.config.display())))
        }
        (Format::Text, Err(error)) => Err(error.into()),
        (Format::Text, Ok((config, warnings))) => {
            for warning in &warnings {
                output::note(&warning.to_string());
            }
            if check.print {
                output::write(&config.effective());
            } else {
                let count = |count: usize, what: &str| format!("{count} {what}{}", if count == 1 { "" } else { "s" });
                let counts = [count(config.sites.len(), "site"), count(config.sinks.len(), "sink"), count(config.routes.len(), "route")];
                output::line(format!("{}: valid ({})", global.config.display(), counts.join(", ")));
            }
            Ok(())
        }
    }
}

fn as_json(issue: &Issue) -> Value {
    json!({
        "severity": format!("{:?}", issue.severity).to_lowercase(),
        "key": issue.key,
        "line": issue.line,
        "message": issue.message,
        "help": issue.help,
    })
}
