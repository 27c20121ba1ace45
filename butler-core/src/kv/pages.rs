//! All pairs of a namespace, some at a time.

use std::sync::Arc;

use crate::store::{KvEntry, KvStore, StoreError};

/// How many pairs are asked for at most.
const MOST: usize = 1000;
/// With how many bytes a page ends.
const HEAVY: usize = 1 << 20;

/// Goes through the pairs of a namespace in their order. A page has as many as take little memory, however long they are; whatever is there all the while is given once.
#[derive(Debug)]
pub struct Pages {
    store: Arc<dyn KvStore>,
    namespace: String,
    prefix: String,
    after: u64,
    ended: bool,
}

impl Pages {
    /// Of a namespace, the pairs whose keys start with `prefix` and that stand after `after`.
    #[must_use]
    pub fn new(store: Arc<dyn KvStore>, namespace: &str, prefix: &str, after: u64) -> Self {
        Self { store, namespace: namespace.to_owned(), prefix: prefix.to_owned(), after, ended: false }
    }

    /// The next page, of no more than `max`. An empty one is the last; `None`: there is no such namespace, or not any more.
    ///
    /// # Errors
    /// Of the store.
    ///
    /// # Cancellation
    /// Dropping the future has no effect.
    pub async fn next(&mut self, max: usize) -> Result<Option<Vec<KvEntry>>, StoreError> {
        let size = MOST.min(max);
        if self.ended || size == 0 {
            return Ok(Some(Vec::new()));
        }
        let Some(page) = self.store.list(&self.namespace, &self.prefix, self.after, size, HEAVY).await? else { return Ok(None) };
        let bytes: usize = page.iter().map(|pair| pair.key.len() + pair.value.len()).sum();
        self.ended = page.len() < size && bytes < HEAVY;
        if let Some(last) = page.last() {
            self.after = last.place;
        }
        Ok(Some(page))
    }

    /// Whether there surely is no further page.
    #[must_use]
    pub fn has_ended(&self) -> bool {
        self.ended
    }
}
