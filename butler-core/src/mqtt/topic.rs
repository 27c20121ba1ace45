//! Names of topics.

/// The longest name, in bytes.
const LONGEST: usize = 65_535;

/// What is wrong with a topic to publish to; `None` if nothing is.
#[must_use]
pub fn topic_fault(topic: &str) -> Option<&'static str> {
    if topic.contains(['+', '#']) {
        return Some("a topic to publish to has no wildcards (`+`, `#`)");
    }
    general_fault(topic)
}

/// What is wrong with a filter of topics to subscribe to; `None` if nothing is.
#[must_use]
pub fn filter_fault(filter: &str) -> Option<&'static str> {
    let mut levels = filter.split('/').peekable();
    while let Some(level) = levels.next() {
        let is_last = levels.peek().is_none();
        if level.contains('#') && (level != "#" || !is_last) {
            return Some("`#` stands alone, at the very end: `qliksense/#`");
        }
        if level.contains('+') && level != "+" {
            return Some("`+` stands alone between slashes: `qliksense/+/start`");
        }
    }
    general_fault(filter)
}

fn general_fault(name: &str) -> Option<&'static str> {
    if name.is_empty() {
        return Some("the name of the topic is empty");
    }
    if name.chars().any(char::is_control) {
        return Some("a topic has no control characters");
    }
    (name.len() > LONGEST).then_some("a topic is no longer than 65535 bytes")
}

/// A text of somebody else as one level of a topic: what would break it up, or stand for others, becomes `_`.
#[must_use]
pub fn level(text: &str) -> String {
    const MOST: usize = 200;
    text.chars().take(MOST).map(|c| if matches!(c, '/' | '+' | '#') || c.is_control() { '_' } else { c }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn topics_have_no_wildcards_and_are_not_empty() {
        for good in ["a", "qliksense/task_failure", "/", "a b/ü"] {
            assert_eq!(topic_fault(good), None, "{good}");
        }
        for bad in ["", "a/#", "a/+/b", "a\0b", "a\nb", &"x".repeat(65_536)] {
            assert!(topic_fault(bad).is_some(), "{bad:.10}");
        }
    }

    #[test]
    fn wildcards_of_filters_stand_alone() {
        for good in ["#", "+", "qliksense/#", "+/a/+", "a"] {
            assert_eq!(filter_fault(good), None, "{good}");
        }
        for bad in ["", "a#", "#/a", "a/#/b", "a+", "a/b+/c", "a\0"] {
            assert!(filter_fault(bad).is_some(), "{bad}");
        }
    }

    #[test]
    fn a_level_stays_one() {
        assert_eq!(level("Qlik/Sense+Engine#\r\n"), "Qlik_Sense_Engine___");
        assert_eq!(topic_fault(&format!("a/{}", level("+#/\0"))), None);
    }
}
