//! `[files]`: what load scripts may do with files, and where.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use super::values::Texts;

/// `[files]`: between which directories files may be copied and moved, and below which they may be deleted and directories created. Each stands for everything below it.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct FilesConfig {
    /// Between which files may be copied.
    pub copy: Vec<DirectoryPairConfig>,
    /// Between which they may be moved.
    pub r#move: Vec<DirectoryPairConfig>,
    /// Below which they may be deleted.
    pub delete: Texts,
    /// Below which directories may be created; anywhere if it is left out.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub create: Option<Texts>,
    /// The folder of QVD files, where the endpoint of its own creates directories.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub qvd_folder: Option<PathBuf>,
    /// Whether symbolic links may lead out of these directories.
    pub follow_links: bool,
}

/// From below the one directory to below the other.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct DirectoryPairConfig {
    /// Where files come from.
    pub from: String,
    /// Where they go.
    pub to: String,
}
