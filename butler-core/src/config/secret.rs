//! Values that no message, log or `Debug` output may show.

use std::fmt;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use serde::de::{Error, MapAccess, Visitor};
use serde::ser::SerializeMap;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// A secret: a literal, the name of an environment variable (`{ env = "NAME" }`), or the path of a file (`{ file = "path" }`).
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(Form);

#[derive(Clone, PartialEq, Eq)]
enum Form {
    Literal(String),
    Env { env: String },
    File { file: PathBuf },
}

impl Secret {
    /// A secret that stands in the configuration itself.
    #[must_use]
    pub fn literal(value: impl Into<String>) -> Self {
        Self(Form::Literal(value.into()))
    }

    /// A secret that is the value of an environment variable.
    #[must_use]
    pub fn env(name: impl Into<String>) -> Self {
        Self(Form::Env { env: name.into() })
    }

    /// A secret that is the content of a file.
    #[must_use]
    pub fn file(path: impl Into<PathBuf>) -> Self {
        Self(Form::File { file: path.into() })
    }

    /// Its value. A file is read from below `base_dir`; a byte order mark and trailing line ends are no part of the secret.
    ///
    /// # Errors
    /// A variable that is not set, a file that can't be read.
    pub fn reveal(&self, base_dir: &Path) -> Result<String, SecretError> {
        match &self.0 {
            Form::Literal(value) => Ok(value.clone()),
            Form::Env { env } => std::env::var(env).map_err(|_| SecretError::Variable(env.clone())),
            Form::File { file } => {
                let path = base_dir.join(file);
                let text = crate::file::text(&path).map_err(|error| {
                    let why = match error.kind() {
                        ErrorKind::NotFound => "there is no such file".to_owned(),
                        ErrorKind::InvalidData => "it is not UTF-8 text".to_owned(),
                        _ => error.to_string(),
                    };
                    SecretError::File { path: path.clone(), why }
                })?;
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

/// Written out, a literal is masked; where the others stand is no secret.
impl Serialize for Secret {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let place = |serializer: S, key: &str, value: &str| {
            let mut map = serializer.serialize_map(Some(1))?;
            map.serialize_entry(key, value)?;
            map.end()
        };
        match &self.0 {
            Form::Literal(_) => serializer.serialize_str("***"),
            Form::Env { env } => place(serializer, "env", env),
            Form::File { file } => place(serializer, "file", &file.display().to_string()),
        }
    }
}

impl<'de> Deserialize<'de> for Secret {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(FormVisitor).map(Self)
    }
}

struct FormVisitor;

impl<'de> Visitor<'de> for FormVisitor {
    type Value = Form;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("text, `{ env = \"NAME\" }` or `{ file = \"path\" }`")
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Form, E> {
        Ok(Form::Literal(text.to_owned()))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Form, A::Error> {
        const KEYS: &[&str] = &["env", "file"];
        let mut form = None;
        while let Some(key) = map.next_key::<String>()? {
            let next = match key.as_str() {
                "env" => Form::Env { env: map.next_value()? },
                "file" => Form::File { file: map.next_value()? },
                unknown => return Err(Error::unknown_field(unknown, KEYS)),
            };
            if form.replace(next).is_some() {
                return Err(Error::custom("`env` and `file` exclude each other"));
            }
        }
        form.ok_or_else(|| Error::custom("expected `{ env = \"NAME\" }` or `{ file = \"path\" }`"))
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

/// Whether a key, or a line of text, names something that is mostly a secret. Rather one too many: what is so named is only not shown.
pub(super) fn looks_secret(name: &str) -> bool {
    const WORDS: [&str; 10] = ["secret", "pass", "pwd", "token", "key", "credential", "auth", "url", "webhook", "header"];
    let name = name.to_lowercase();
    WORDS.iter().any(|word| name.contains(word))
}

/// Whether a table so named mostly holds secrets, whatever their keys are.
pub(super) fn holds_secrets(name: &str) -> bool {
    const WORDS: [&str; 7] = ["secret", "pass", "token", "key", "credential", "auth", "header"];
    let name = name.to_lowercase();
    WORDS.iter().any(|word| name.contains(word))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Result<Secret, toml::de::Error> {
        #[derive(Deserialize)]
        struct Holder {
            it: Secret,
        }
        toml::from_str::<Holder>(text).map(|holder| holder.it)
    }

    #[test]
    fn the_three_forms() {
        assert_eq!(parse("it = 'x'").unwrap(), Secret::literal("x"));
        assert_eq!(parse("it = { env = 'X' }").unwrap(), Secret::env("X"));
        assert_eq!(parse("it.file = 'x.txt'").unwrap(), Secret::file("x.txt"));
    }

    #[test]
    fn other_forms_are_refused() {
        for text in ["it = {}", "it = { env = 'A', file = 'b' }", "it = { envy = 'A' }", "it = [1]", "it = true"] {
            assert!(parse(text).is_err(), "{text}");
        }
    }

    #[test]
    fn a_file_loses_its_mark_and_its_line_end() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("s"), "\u{feff}hunter2\r\n").unwrap();
        assert_eq!(Secret::file("s").reveal(folder.path()).unwrap(), "hunter2");
        let error = Secret::file("missing").reveal(folder.path()).unwrap_err();
        assert!(error.to_string().ends_with("missing`: there is no such file"), "{error}");
    }

    #[test]
    fn written_out_it_shows_the_place_but_no_value() {
        let written = |secret: Secret| toml::to_string(&std::collections::BTreeMap::from([("it", secret)])).unwrap();
        assert_eq!(written(Secret::literal("hunter2")), "it = \"***\"\n");
        assert_eq!(written(Secret::env("SLACK")), "[it]\nenv = \"SLACK\"\n");
        assert_eq!(written(Secret::file("a/b")), "[it]\nfile = \"a/b\"\n");
    }

    #[test]
    fn debug_shows_the_place_but_no_value() {
        assert_eq!(format!("{:?}", Secret::literal("hunter2")), "Secret(***)");
        assert_eq!(format!("{:?}", Secret::env("SLACK")), "Secret(env SLACK)");
        assert_eq!(format!("{:?}", Secret::file("a/b")), "Secret(file a/b)");
    }
}
