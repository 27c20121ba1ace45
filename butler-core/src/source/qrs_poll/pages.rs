//! Spans of time with few enough executions in each.

use jiff::{SignedDuration, Timestamp};

use super::cursor::before;
use crate::qlik::{EndedSpan, QlikError, RepositoryClient};

/// How many executions are read at once, if a second does not hold more of them.
pub(super) const PAGE: u64 = 200;
/// The shortest span.
const SHORTEST: SignedDuration = SignedDuration::from_secs(1);
/// Where the repository does not count, spans are so long.
const UNCOUNTED: SignedDuration = SignedDuration::from_mins(15);

/// A span to be read at once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Page {
    pub(super) span: EndedSpan,
    /// How many executions ended within it, as far as it is known.
    pub(super) count: Option<u64>,
}

/// Finds one page after the other.
#[derive(Debug)]
pub(super) struct Pages<'a> {
    client: &'a RepositoryClient,
    successes: bool,
    /// How many are read at once.
    most: u64,
    /// How many are left, once they were counted, if that is more than a page.
    rest: Option<u64>,
}

impl<'a> Pages<'a> {
    pub(super) fn new(client: &'a RepositoryClient, successes: bool) -> Self {
        Self { client, successes, most: PAGE, rest: None }
    }

    /// The page that begins at `from`, or later if nothing is in between. The last one has no end.
    pub(super) async fn next(&mut self, from: Timestamp, now: Timestamp) -> Result<Page, QlikError> {
        let page = |from, before, count| Page { span: EndedSpan { from, before, successes: self.successes }, count };
        let rest = match self.rest.filter(|rest| *rest > self.most) {
            Some(rest) => rest,
            None => {
                let Some(rest) = self.count(from, None).await? else {
                    let end = after(from, UNCOUNTED);
                    return Ok(page(from, (end < now).then_some(end), None));
                };
                if rest <= self.most {
                    return Ok(page(from, None, Some(rest)));
                }
                rest
            }
        };
        let mut from = from;
        // As if they were spread evenly, to be corrected.
        let whole = now.duration_since(from).max(SignedDuration::from_hours(1));
        let mut length = part(whole, self.aim(), rest);
        loop {
            let end = after(from, length);
            let Some(count) = self.count(from, Some(end)).await? else { return Ok(page(from, Some(end), None)) };
            match count {
                // Nothing to read, and the executions are further on.
                0 if end < Timestamp::MAX => (from, length) = (end, length.saturating_mul(2)),
                few if few <= self.most || length <= SHORTEST => {
                    self.rest = Some(rest.saturating_sub(few));
                    return Ok(page(from, Some(end), Some(few)));
                }
                many => length = part(length, self.aim(), many),
            }
        }
    }

    /// How many a page should hold: not so many that it often has to be made shorter.
    fn aim(&self) -> u64 {
        self.most * 3 / 4
    }

    /// The reply about a page was too large: reads less at once. `false` if that is not possible.
    pub(super) fn less_than(&mut self, page: &Page) -> bool {
        let less = page.count.unwrap_or_default().min(self.most) / 2;
        let shortest = page.span.before.is_some_and(|end| end.duration_since(page.span.from) <= SHORTEST);
        if less == 0 || shortest {
            return false;
        }
        (self.most, self.rest) = (less, None);
        true
    }

    async fn count(&self, from: Timestamp, before: Option<Timestamp>) -> Result<Option<u64>, QlikError> {
        self.client.count_ended(EndedSpan { from, before, successes: self.successes }).await
    }
}

/// So much of a length as `few` is of `many`, but not less than the shortest.
fn part(length: SignedDuration, few: u64, many: u64) -> SignedDuration {
    let millis = length.as_millis().saturating_mul(i128::from(few.max(1))) / i128::from(many.max(1));
    SignedDuration::from_millis(i64::try_from(millis).unwrap_or(i64::MAX)).max(SHORTEST)
}

fn after(at: Timestamp, by: SignedDuration) -> Timestamp {
    before(at, SignedDuration::ZERO.saturating_sub(by)).max(at)
}
