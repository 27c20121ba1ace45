//! All pairs of a namespace, some at a time.

use std::sync::Arc;

use crate::store::{KvEntry, KvStore, StoreError};

/// How many pairs are asked for at first, when nobody knows yet how long they are.
const FIRST: usize = 16;
/// How many are asked for at most.
const MOST: usize = 1000;
/// How many bytes are too many for a page, and how many are few.
const HEAVY: usize = 4 << 20;
const LIGHT: usize = 512 << 10;

/// Goes through the pairs of a namespace in their order. A page has as many as take little memory, however long they are; whatever is there all the while is given once.
#[derive(Debug)]
pub struct Pages {
    store: Arc<dyn KvStore>,
    namespace: String,
    prefix: String,
    after: u64,
    size: usize,
    ended: bool,
}

impl Pages {
    /// Of a namespace, the pairs whose keys start with `prefix` and that stand after `after`.
    #[must_use]
    pub fn new(store: Arc<dyn KvStore>, namespace: &str, prefix: &str, after: u64) -> Self {
        Self { store, namespace: namespace.to_owned(), prefix: prefix.to_owned(), after, size: FIRST, ended: false }
    }

    /// The next page, of no more than `max`. An empty one is the last; `None`: there is no such namespace, or not any more.
    ///
    /// # Errors
    /// Of the store.
    ///
    /// # Cancellation
    /// Dropping the future has no effect.
    pub async fn next(&mut self, max: usize) -> Result<Option<Vec<KvEntry>>, StoreError> {
        let size = self.size.min(max);
        if self.ended || size == 0 {
            return Ok(Some(Vec::new()));
        }
        let Some(page) = self.store.list(&self.namespace, &self.prefix, self.after, size).await? else { return Ok(None) };
        self.ended = page.len() < size;
        let bytes: usize = page.iter().map(|pair| pair.key.len() + pair.value.len()).sum();
        if bytes > HEAVY {
            self.size = (self.size / 2).max(1);
        } else if bytes < LIGHT {
            self.size = (self.size * 2).min(MOST);
        }
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
