//! Lines of JSON as pairs.

use futures_util::future::join_all;
use serde::{Deserialize, Serialize};

use super::{Condition, KeyValues, KvError, Line};
use crate::store::StoreError;

/// How many pairs are stored at once: they share a commit, and others wait no longer for theirs than that takes.
const SLICE: usize = 256;
/// How many bytes are enough for a slice.
const SLICE_BYTES: usize = 1 << 20;
/// How many lines that were refused are told one by one.
const TOLD: usize = 20;

/// What to do with a pair that is there already.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "api", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
pub enum Existing {
    /// The imported one takes its place.
    #[default]
    Overwrite,
    /// It stays as it is.
    Keep,
}

/// What became of the lines.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "api", derive(utoipa::ToSchema))]
pub struct ImportReport {
    /// Lines that were read, empty ones not counted.
    pub lines: u64,
    /// Pairs that were stored.
    pub stored: u64,
    /// Pairs that were there already and were kept.
    pub kept: u64,
    /// Lines whose time had passed.
    pub expired: u64,
    /// Lines that were not taken.
    pub refused: u64,
    /// The first of these.
    pub problems: Vec<RefusedLine>,
}

/// A line that was not taken.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "api", derive(utoipa::ToSchema))]
pub struct RefusedLine {
    /// Its number, from one.
    pub line: u64,
    /// Why.
    pub error: String,
}

/// Takes a text of lines, bit by bit, and stores what is in them in slices. It takes little memory, however much comes.
#[derive(Debug)]
pub struct Importer {
    pairs: KeyValues,
    existing: Existing,
    report: ImportReport,
    /// The number of the line that is being read.
    line: u64,
    /// What was read of it.
    rest: Vec<u8>,
    /// It is longer than any line may be, so the rest of it is not kept.
    too_long: bool,
    slice: Vec<(u64, Line)>,
    slice_bytes: usize,
}

impl KeyValues {
    /// Begins an import.
    #[must_use]
    pub fn import(&self, existing: Existing) -> Importer {
        Importer {
            pairs: self.clone(),
            existing,
            report: ImportReport::default(),
            line: 1,
            rest: Vec::new(),
            too_long: false,
            slice: Vec::new(),
            slice_bytes: 0,
        }
    }

    /// The longest line that can be a pair within the limits: each byte may be written as `\u0000`.
    fn longest_line(&self) -> usize {
        let all = self.settings.max_value.saturating_add(self.settings.max_key).saturating_add(self.settings.max_namespace);
        usize::try_from(all.saturating_mul(6).saturating_add(1024)).unwrap_or(usize::MAX)
    }
}

impl Importer {
    /// Takes a further bit, which may end anywhere.
    ///
    /// # Errors
    /// Of the store: what was stored before stays, and the import can be begun anew.
    ///
    /// # Cancellation
    /// Dropping the future may leave a slice stored in part.
    pub async fn take(&mut self, mut bytes: &[u8]) -> Result<(), StoreError> {
        while let Some(end) = bytes.iter().position(|byte| *byte == b'\n') {
            self.keep(&bytes[..end]);
            bytes = &bytes[end + 1..];
            self.end_line();
            if self.slice.len() >= SLICE || self.slice_bytes >= SLICE_BYTES {
                self.store().await?;
            }
        }
        self.keep(bytes);
        Ok(())
    }

    /// Stores what is left, and tells what became of it all.
    ///
    /// # Errors
    /// As [`take`](Self::take).
    pub async fn finish(mut self) -> Result<ImportReport, StoreError> {
        self.end_line();
        self.store().await?;
        // What a line is by itself is known before its slice is stored.
        self.report.problems.sort_by_key(|problem| problem.line);
        Ok(self.report)
    }

    /// What became of the lines so far.
    #[must_use]
    pub fn report(&self) -> &ImportReport {
        &self.report
    }

    fn keep(&mut self, bytes: &[u8]) {
        if self.rest.len() + bytes.len() > self.pairs.longest_line() {
            self.too_long = true;
            self.rest = Vec::new();
        } else if !self.too_long {
            self.rest.extend_from_slice(bytes);
        }
    }

    fn end_line(&mut self) {
        let (number, text) = (self.line, std::mem::take(&mut self.rest));
        self.line += 1;
        if std::mem::take(&mut self.too_long) {
            self.report.lines += 1;
            self.refuse(number, format!("the line is longer than {} bytes, which no pair within the limits is", self.pairs.longest_line()));
            return;
        }
        // Windows and some editors begin a file with a mark.
        let text = if number == 1 { text.strip_prefix("\u{feff}".as_bytes()).unwrap_or(&text) } else { &text };
        if text.trim_ascii().is_empty() {
            return;
        }
        self.report.lines += 1;
        match serde_json::from_slice::<Line>(text) {
            Ok(line) if line.expires.is_some_and(|expires| expires < self.pairs.now()) => self.report.expired += 1,
            Ok(line) => {
                self.slice_bytes += line.value.len();
                self.slice.push((number, line));
            }
            Err(error) => self.refuse(number, format!("it is no pair: {error}")),
        }
    }

    fn refuse(&mut self, line: u64, error: String) {
        self.report.refused += 1;
        if self.report.problems.len() < TOLD {
            self.report.problems.push(RefusedLine { line, error });
        }
    }

    /// Stores a slice, in the order of its lines.
    async fn store(&mut self) -> Result<(), StoreError> {
        let slice = std::mem::take(&mut self.slice);
        self.slice_bytes = 0;
        let condition = match self.existing {
            Existing::Overwrite => Condition::Always,
            Existing::Keep => Condition::Absent,
        };
        let (pairs, condition) = (&self.pairs, &condition);
        let put = |(number, line): (u64, Line)| async move {
            (number, pairs.put_until(&line.namespace, &line.key, &line.value, line.expires, condition).await)
        };
        // They are handed to the store in this order, so that of two lines with one key the second counts.
        for (number, outcome) in join_all(slice.into_iter().map(put)).await {
            match outcome {
                Ok(_) => self.report.stored += 1,
                Err(KvError::Changed { .. }) => self.report.kept += 1,
                Err(KvError::Store(error)) => return Err(error),
                Err(error) => self.refuse(number, error.to_string()),
            }
        }
        Ok(())
    }
}
