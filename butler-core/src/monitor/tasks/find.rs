//! From how a task stands to what has to be told: pure decisions.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};

use super::last::{Phase, phase, took};
use super::memory::{Failing, TaskMemory};
use super::rules::TaskWatchRules;
use super::usual::Typical;
use crate::event::TaskOutcome;
use crate::qlik::{LatestExecution, TaskStanding};

/// How much earlier than planned a start may be and still be the planned one: two nodes' clocks.
const EARLY: SignedDuration = SignedDuration::from_mins(1);
/// A plan that lay back further when it was first seen is none any more: an old trigger, and nobody waits for it.
const FORGOTTEN: SignedDuration = SignedDuration::from_hours(24);
/// While a task does not start at all it is not told of each occurrence of a short interval.
const SPACING: SignedDuration = SignedDuration::from_hours(1);
/// How long after its session's timeout an execution may still be under way: somebody has to end it.
const AFTER_TIMEOUT: Duration = Duration::from_mins(10);

/// The moment at which a site is looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Look {
    /// Now.
    pub(super) now: Timestamp,
    /// The look before this one, at a time when the repository answered; also one of an earlier process.
    pub(super) before: Option<Timestamp>,
    /// Whether it has been looked without a gap for so long that whoever was away has caught up.
    pub(super) is_settled: bool,
    /// How far apart two looks may be so that nothing is missed.
    pub(super) gap: SignedDuration,
}

impl Look {
    /// Whether a plan was still one when its time came, as far as anybody knows: whoever has not looked shortly before can't know that it was not changed.
    fn believes(&self, expected: Timestamp) -> bool {
        self.before.is_some_and(|before| expected.duration_since(before) <= self.gap)
    }
}

/// Something that has to be told of a task.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Finding {
    /// It should have started.
    Late { expected: Timestamp },
    /// It runs too long.
    Stuck { execution: String, since: Timestamp, running: Duration, limit: Limit },
    /// It waits too long for its start.
    Queued { execution: String, since: Timestamp, waiting: Duration },
    /// It still fails.
    Failing { since: Timestamp, count: u32, number: i64 },
    /// It succeeds again.
    Recovered { execution: String, at: Timestamp, since: Timestamp, count: u32 },
}

/// Why a run takes too long.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Limit {
    /// It usually takes far less.
    Usual(Typical),
    /// No task may run longer than this.
    Longest(Duration),
    /// Qlik Sense should have ended it after this time.
    Timeout(Duration),
}

/// What is to be remembered of the task from now on, and what has to be told.
///
/// `between` are executions of it that ended since the look before, as far as they were listed, in the order of their ends: it may have run more than once meanwhile.
pub(super) fn find(
    rules: &TaskWatchRules,
    task: &TaskStanding,
    between: &[LatestExecution],
    before: &TaskMemory,
    look: &Look,
) -> (TaskMemory, Vec<Finding>) {
    let mut memory = before.clone();
    let mut findings = Vec::new();
    if let Some(last) = &task.last {
        // What was listed after the task was looked at is for the next look.
        let until = last.stop.filter(|_| matches!(phase(last), Phase::Ended(_)));
        let is_new = |one: &&LatestExecution| one.stop > before.ended_at && until.is_none_or(|until| one.stop <= Some(until));
        for one in between.iter().filter(is_new) {
            findings.extend(ended(&mut memory, one, look));
        }
        findings.extend(ended(&mut memory, last, look));
        findings.extend(under_way(rules, &mut memory, task, last, look));
    }
    findings.extend(late(rules, &mut memory, task, look));
    findings.extend(remind(rules, &mut memory, task, look));
    (memory, findings)
}

/// Takes note of an execution that has ended.
fn ended(memory: &mut TaskMemory, last: &LatestExecution, look: &Look) -> Option<Finding> {
    let Phase::Ended(outcome) = phase(last) else { return None };
    if memory.ended.as_ref() == Some(&last.key) {
        return None;
    }
    let at = last.stop.unwrap_or(look.now);
    (memory.ended, memory.ended_at) = (Some(last.key.clone()), Some(at));
    match outcome {
        TaskOutcome::Success => {
            if let Some(took) = took(last) {
                memory.usual.add(took);
            }
            let Failing { since, count, .. } = memory.failing.take()?;
            Some(Finding::Recovered { execution: last.key.clone(), at, since, count })
        }
        TaskOutcome::Failed => {
            let failing = memory.failing.get_or_insert(Failing { since: at, count: 0, reminded: 0 });
            failing.count = failing.count.saturating_add(1);
            None
        }
        // Somebody stopped it, which says nothing about whether it would have succeeded.
        TaskOutcome::Aborted | TaskOutcome::Unsettled => None,
    }
}

/// Looks at an execution that is under way.
fn under_way(rules: &TaskWatchRules, memory: &mut TaskMemory, task: &TaskStanding, last: &LatestExecution, look: &Look) -> Option<Finding> {
    let phase = phase(last);
    if !matches!(phase, Phase::Queued | Phase::Running) {
        (memory.stuck, memory.queued, memory.seen) = (None, None, None);
        return None;
    }
    let since = match (last.start, &memory.seen) {
        (Some(start), _) => start,
        (None, Some((execution, seen))) if *execution == last.key => *seen,
        _ => {
            memory.seen = Some((last.key.clone(), look.now));
            look.now
        }
    };
    if !look.is_settled {
        return None;
    }
    let lasts = Duration::try_from(look.now.duration_since(since)).unwrap_or_default();
    let execution = last.key.clone();
    if phase == Phase::Queued {
        let is_told = memory.queued.as_ref() == Some(&last.key);
        if is_told || lasts <= rules.queued_after {
            return None;
        }
        memory.queued = Some(last.key.clone());
        return Some(Finding::Queued { execution, since, waiting: lasts });
    }
    if memory.stuck.as_ref() == Some(&last.key) {
        return None;
    }
    let limit = exceeded(rules, memory, task, lasts)?;
    memory.stuck = Some(last.key.clone());
    Some(Finding::Stuck { execution, since, running: lasts, limit })
}

/// Which limit a run has exceeded, if any.
fn exceeded(rules: &TaskWatchRules, memory: &TaskMemory, task: &TaskStanding, lasts: Duration) -> Option<Limit> {
    if let Some(longest) = rules.longest.filter(|longest| lasts > *longest) {
        return Some(Limit::Longest(longest));
    }
    if let Some(typical) = memory.usual.typical().filter(|typical| lasts > typical.too_long()) {
        return Some(Limit::Usual(typical));
    }
    // Each try has its own session.
    let tries = task.max_retries.saturating_add(1);
    let timeout = Duration::from_secs(60 * u64::from(task.session_timeout)).saturating_mul(tries);
    (!timeout.is_zero() && lasts > timeout.saturating_add(AFTER_TIMEOUT)).then_some(Limit::Timeout(timeout))
}

/// Looks whether the task should have started.
fn late(rules: &TaskWatchRules, memory: &mut TaskMemory, task: &TaskStanding, look: &Look) -> Option<Finding> {
    let has_started = |expected: Timestamp| {
        task.last.as_ref().is_some_and(|last| {
            let is_under_way = matches!(phase(last), Phase::Queued | Phase::Running);
            is_under_way || last.start.or(last.stop).is_some_and(|start| start.duration_since(expected) >= -EARLY)
        })
    };
    if memory.late.is_some_and(has_started) {
        memory.late = None;
    }
    if !task.enabled {
        memory.expected = None;
        return None;
    }
    let is_due = |planned: &Timestamp| *planned <= look.now && !has_started(*planned);
    // The plan may have moved on to the next occurrence without this one having started.
    let missed = memory.expected.filter(|expected| is_due(expected) && (look.believes(*expected) || task.next == Some(*expected)));
    let is_current = |next: &Timestamp| memory.expected == Some(*next) || look.now.duration_since(*next) <= FORGOTTEN;
    let Some(expected) = missed.or(task.next.filter(|next| is_due(next) && is_current(next))) else {
        memory.expected = task.next;
        return None;
    };
    memory.expected = Some(expected);
    // Right after a run the plan may not have moved on yet.
    let from = task.last.as_ref().and_then(|last| last.stop).map_or(expected, |stop| stop.max(expected));
    let patience = SignedDuration::try_from(rules.late_after).unwrap_or(SignedDuration::MAX);
    if !look.is_settled || look.now.duration_since(from) <= patience {
        return None;
    }
    if task.next.is_none_or(|next| next > expected) {
        memory.expected = task.next;
    }
    if memory.late.is_some_and(|late| expected.duration_since(late).abs() < SPACING) {
        return None;
    }
    memory.late = Some(expected);
    Some(Finding::Late { expected })
}

/// Says again that the task fails, if it is time.
fn remind(rules: &TaskWatchRules, memory: &mut TaskMemory, task: &TaskStanding, look: &Look) -> Option<Finding> {
    let every = rules.remind.and_then(|every| i64::try_from(every.as_secs()).ok()).filter(|every| *every > 0)?;
    let failing = memory.failing.as_mut().filter(|_| task.enabled)?;
    let number = look.now.duration_since(failing.since).as_secs() / every;
    if number <= failing.reminded {
        return None;
    }
    failing.reminded = number;
    Some(Finding::Failing { since: failing.since, count: failing.count, number })
}
