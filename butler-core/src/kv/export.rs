//! Pairs as lines of JSON.

use std::collections::VecDeque;

use futures_util::stream::{self, Stream};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::{KeyValues, KvError, Pages, no_namespace};
use crate::store::KvEntry;

/// A line of an export: one pair.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "api", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct Line {
    /// The namespace.
    pub namespace: String,
    /// The key.
    pub key: String,
    /// The value.
    pub value: String,
    /// The last moment at which the pair is there; for good if there is none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires: Option<Timestamp>,
}

impl Line {
    /// As it stands in the file, with its end.
    fn text(namespace: &str, pair: KvEntry) -> String {
        let line = Self { namespace: namespace.to_owned(), key: pair.key, value: pair.value, expires: pair.expires };
        // Texts and a time: nothing of it can't be written.
        let mut text = serde_json::to_string(&line).unwrap_or_default();
        text.push('\n');
        text
    }
}

struct Export {
    pairs: KeyValues,
    namespaces: VecDeque<String>,
    pages: Option<(String, Pages)>,
}

impl KeyValues {
    /// All pairs of a namespace, or of all, as lines of JSON in their order; each item is a number of whole lines. It takes little memory, however many pairs there are.
    ///
    /// A namespace without pairs has no line, so an import does not bring it back.
    ///
    /// A pair that is there from the beginning to the end is in it once. What is put or removed meanwhile may be in it or not.
    ///
    /// # Errors
    /// [`KvError::NoNamespace`], [`KvError::Store`]; and of the store in the midst of it, which ends the stream.
    pub async fn export(&self, namespace: Option<&str>) -> Result<impl Stream<Item = Result<String, KvError>> + Send + use<>, KvError> {
        let namespaces = match namespace {
            None => self.store.namespaces().await?.into(),
            Some(namespace) => {
                self.store.list(namespace, "", 0, 0, usize::MAX).await?.ok_or_else(|| no_namespace(namespace))?;
                VecDeque::from([namespace.to_owned()])
            }
        };
        let export = Export { pairs: self.clone(), namespaces, pages: None };
        Ok(stream::try_unfold(export, |mut export| async move { Ok(export.next().await?.map(|lines| (lines, export))) }))
    }
}

impl Export {
    async fn next(&mut self) -> Result<Option<String>, KvError> {
        loop {
            if self.pages.is_none() {
                let Some(namespace) = self.namespaces.pop_front() else { return Ok(None) };
                let pages = Pages::new(self.pairs.store.clone(), &namespace, "", 0);
                self.pages = Some((namespace, pages));
            }
            let Some((namespace, pages)) = &mut self.pages else { continue };
            // One that was dropped meanwhile has no further pairs.
            let page = pages.next(usize::MAX).await?.unwrap_or_default();
            if !page.is_empty() {
                return Ok(Some(page.into_iter().map(|pair| Line::text(namespace, pair)).collect()));
            }
            self.pages = None;
        }
    }
}
