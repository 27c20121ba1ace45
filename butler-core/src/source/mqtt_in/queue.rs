//! Messages that wait for a connection.

use std::collections::VecDeque;

use crate::mqtt::Publication;

/// How many may wait.
const MOST: usize = 1024;
/// How many bytes their topics and payloads may have in all.
const HEAVIEST: usize = 16 << 20;

/// What waits, in its order.
#[derive(Debug, Default)]
pub(super) struct Queue {
    waiting: VecDeque<Publication>,
    bytes: usize,
    /// How many connections have ended while the first was under way.
    interruptions: u32,
}

/// So much waits for the broker already that no more is taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("too much waits for the MQTT broker already ({MOST} messages or {} MiB); see in the log why it takes nothing", HEAVIEST >> 20)]
pub struct QueueFull;

impl Queue {
    pub(super) fn push(&mut self, publication: Publication) -> Result<(), QueueFull> {
        let bytes = self.bytes + weight(&publication);
        // A single one is taken whatever its size.
        if self.waiting.len() >= MOST || (bytes > HEAVIEST && !self.waiting.is_empty()) {
            return Err(QueueFull);
        }
        self.bytes = bytes;
        self.waiting.push_back(publication);
        Ok(())
    }

    pub(super) fn first(&self) -> Option<Publication> {
        self.waiting.front().cloned()
    }

    pub(super) fn len(&self) -> usize {
        self.waiting.len()
    }

    /// The first needs nothing more.
    pub(super) fn done(&mut self) {
        self.interruptions = 0;
        if let Some(publication) = self.waiting.pop_front() {
            self.bytes -= weight(&publication);
        }
    }

    /// A connection has ended while the first was under way. After `most` of them it is given up, which this says.
    pub(super) fn interrupted(&mut self, most: u32) -> bool {
        self.interruptions += 1;
        let is_given_up = self.interruptions >= most;
        if is_given_up {
            self.done();
        }
        is_given_up
    }
}

fn weight(publication: &Publication) -> usize {
    publication.topic.len() + publication.payload.len()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(size: usize) -> Publication {
        Publication { topic: "t".into(), payload: vec![b'x'; size].into(), ..Publication::default() }
    }

    #[test]
    fn there_is_an_end_to_waiting_by_number_and_by_size() {
        let mut queue = Queue::default();
        for _ in 0..MOST {
            queue.push(message(1)).unwrap();
        }
        assert_eq!(queue.push(message(1)), Err(QueueFull));
        queue.done();
        assert_eq!(queue.push(message(HEAVIEST)), Err(QueueFull));
        queue.push(message(1)).unwrap();
        let mut queue = Queue::default();
        queue.push(message(HEAVIEST)).unwrap();
        assert_eq!(queue.push(message(0)), Err(QueueFull));
        queue.done();
        assert_eq!((queue.bytes, queue.push(message(1))), (0, Ok(())));
    }

    #[test]
    fn what_ends_connections_is_given_up() {
        let mut queue = Queue::default();
        queue.push(message(1)).unwrap();
        queue.push(message(2)).unwrap();
        assert!(!queue.interrupted(2));
        assert!(queue.interrupted(2));
        assert_eq!(queue.first(), Some(message(2)));
        // The next begins anew.
        assert!(!queue.interrupted(2));
    }
}
