//! Values that no message, log or `Debug` output may show.

use std::fmt;
use std::path::{Path, PathBuf};

use serde::Deserialize;

/// A secret: a literal, the name of an environment variable, or the path of a file.
#[derive(Clone, PartialEq, Eq, Deserialize)]
#[serde(from = "Form")]
pub struct Secret(Form);

#[derive(Clone, PartialEq, Eq, Deserialize)]
#[serde(untagged)]
enum Form {
    Literal(String),
    Env { env: String },
    File { file: PathBuf },
}

impl From<Form> for Secret {
    fn from(form: Form) -> Self {
        Self(form)
    }
}

impl Secret {
    /// A secret that stands in the configuration itself.
    #[must_use]
    pub fn literal(value: impl Into<String>) -> Self {
        Self(Form::Literal(value.into()))
    }

    /// Its value. A file is read from below `base_dir`, and trailing line ends are cut off.
    ///
    /// # Errors
    /// A variable that is not set, a file that can't be read.
    pub fn reveal(&self, base_dir: &Path) -> Result<String, SecretError> {
        match &self.0 {
            Form::Literal(value) => Ok(value.clone()),
            Form::Env { env } => std::env::var(env).map_err(|_| SecretError::Variable(env.clone())),
            Form::File { file } => {
                let path = base_dir.join(file);
                let text = std::fs::read_to_string(&path).map_err(|why| SecretError::File { path, why: why.to_string() })?;
                Ok(text.trim_end_matches(['\r', '\n']).to_owned())
            }
        }
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Form::Literal(_) => f.write_str("Secret(***)"),
            Form::Env { env } => write!(f, "Secret(env {env})"),
            Form::File { file } => write!(f, "Secret(file {})", file.display()),
        }
    }
}

/// Why a secret can't be had.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SecretError {
    /// The environment variable is not set, or not text.
    #[error("the environment variable `{0}` is not set; set it before the program starts")]
    Variable(String),
    /// The file can't be read.
    #[error("can't read the secret from `{}`: {why}", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// Why.
        why: String,
    },
}
