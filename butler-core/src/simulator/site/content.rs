//! What is in an app: what the engine shows of it.

use serde::{Deserialize, Serialize};

use super::outcome::Outcome;

/// What is in an app.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct AppContent {
    /// How a reload by the engine ends.
    pub when_reloaded: Outcome,
    /// The load script.
    pub script: String,
    /// Names of the fields.
    pub fields: Vec<String>,
    /// Addresses of pictures and the like; those of the app itself begin with `/media/`.
    pub media: Vec<String>,
    /// Where the data came from.
    pub lineage: Vec<Lineage>,
    /// Where data may come from.
    pub connections: Vec<DataConnection>,
    /// Sheets, dimensions and all the like.
    pub objects: Vec<AppObject>,
}

/// Where data of an app came from.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Lineage {
    /// A file, or a connection.
    pub discriminator: String,
    /// What was asked there.
    pub statement: String,
}

/// A data connection.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct DataConnection {
    /// Its id.
    pub id: String,
    /// Its name.
    pub name: String,
    /// `folder`, `OLEDB` and so on.
    pub r#type: String,
    /// What it leads to.
    pub path: String,
}

/// Something in an app that has an id and properties.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct AppObject {
    /// Its id.
    pub id: String,
    /// `sheet`, `story`, `masterobject`, `appprops`, `dimension`, `measure`, `bookmark`, `snapshot`, `variable`; within a sheet, what it shows.
    pub r#type: String,
    /// Its title, or name.
    pub title: String,
    /// The expression of a dimension, a measure or a variable; the selection of a bookmark.
    pub definition: String,
    /// Of a variable: made by the script.
    pub script_created: bool,
    /// Of a variable: the engine's own.
    pub reserved: bool,
    /// What is on a sheet.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub children: Vec<AppObject>,
}

impl AppContent {
    /// The object of this id.
    #[must_use]
    pub fn object(&self, id: &str) -> Option<&AppObject> {
        fn within<'a>(objects: &'a [AppObject], id: &str) -> Option<&'a AppObject> {
            objects.iter().find_map(|object| if object.id == id { Some(object) } else { within(&object.children, id) })
        }
        within(&self.objects, id)
    }
}
