//! What Teams takes: a message that is beyond its size is refused as a whole, and so is a button without an address.

use serde_json::{Map, Value};

use crate::sink::words;

/// The longest message. Teams names 28 KB, and counts two bytes for each character unless one needs more.
const LONGEST: usize = 28_000;
/// Where texts for people stand.
const TEXTS: [&str; 8] = ["text", "title", "value", "codeSnippet", "summary", "fallbackText", "altText", "subtitle"];
/// To which lengths texts are cut, one after the other, until the message fits.
const LENGTHS: [usize; 7] = [4000, 2000, 1000, 500, 250, 120, 60];
/// To how many characters the ends of a script log are cut before anything else is, one after the other; the first is the length that they have at most.
pub(super) const LOG_LENGTHS: [usize; 5] = [2900, 2000, 1000, 400, 0];
/// From which length on a script log is cut at all.
const LONG_LOG: usize = 3000;
/// The line that marks a cut script log.
const CUT: &str = "----Script log truncated by Butler----";

/// Whether Teams takes a message of this size.
pub(super) fn fits(message: &Map<String, Value>) -> bool {
    let text = serde_json::to_string(message).unwrap_or_default();
    text.len().max(2 * text.encode_utf16().count()) <= LONGEST
}

/// Brings a message within the size: texts are cut, the longest first; then the largest parts of the card are left out.
pub(super) fn shorten(message: &mut Map<String, Value>) {
    for longest in LENGTHS {
        if fits(message) {
            return;
        }
        message.iter_mut().for_each(|(key, value)| cut_texts(key, value, longest));
    }
    while !fits(message) {
        let Some(body) = super::card::body_of(message).filter(|body| body.len() > 1) else { return };
        let size = |part: &Value| part.to_string().len();
        let largest = (0..body.len()).max_by_key(|index| size(&body[*index])).unwrap_or_default();
        body.remove(largest);
    }
}

fn cut_texts(key: &str, value: &mut Value, longest: usize) {
    match value {
        Value::String(text) if TEXTS.contains(&key) => *text = words::shortened(text, longest),
        Value::Array(items) => items.iter_mut().for_each(|item| cut_texts(key, item, longest)),
        Value::Object(fields) => fields.iter_mut().for_each(|(key, value)| cut_texts(key, value, longest)),
        _ => {}
    }
}

/// The start of a script log, cut if it is long.
pub(super) fn log_head(text: &str, longest: usize) -> String {
    let text = text.replace('\r', "");
    if !is_too_long(&text, longest) {
        return text;
    }
    let mut used = 0;
    let end = text.char_indices().find(|(_, c)| {
        used += weight(*c);
        used > longest
    });
    let kept = end.map_or(text.as_str(), |(end, _)| &text[..end]);
    format!("{kept}\n{CUT}")
}

/// The end of a script log, cut if it is long.
pub(super) fn log_tail(text: &str, longest: usize) -> String {
    let text = text.replace('\r', "");
    if !is_too_long(&text, longest) {
        return text;
    }
    let mut used = 0;
    let start = text.char_indices().rev().find(|(_, c)| {
        used += weight(*c);
        used > longest
    });
    let kept = start.map_or(text.as_str(), |(start, c)| &text[start + c.len_utf8()..]);
    format!("{CUT}\n{kept}")
}

/// By the original's count a log is long from 3000 characters on, and then cut to 2900.
fn is_too_long(text: &str, longest: usize) -> bool {
    let limit = if longest == LOG_LENGTHS[0] { LONG_LOG } else { longest + 1 };
    text.chars().map(weight).sum::<usize>() >= limit
}

/// What a character takes in JSON.
fn weight(c: char) -> usize {
    match c {
        '\n' | '\t' | '"' | '\\' => 2,
        c if c.is_control() => 6,
        c => c.len_utf16(),
    }
}

/// Leaves out what has no address: buttons, sets of buttons that have none left, pictures.
pub(super) fn drop_empty(value: &mut Value) {
    match value {
        Value::Array(items) => {
            items.iter_mut().for_each(drop_empty);
            items.retain(|item| !is_empty(item));
        }
        Value::Object(fields) => {
            fields.values_mut().for_each(drop_empty);
            fields.retain(|key, value| !(key == "selectAction" && is_empty(value)));
            let is_empty_list = |value: &Value| value.as_array().is_some_and(Vec::is_empty);
            fields.retain(|key, value| !(matches!(key.as_str(), "actions" | "potentialAction") && is_empty_list(value)));
        }
        _ => {}
    }
}

fn is_empty(item: &Value) -> bool {
    let is_blank = |value: &Value| value.as_str().is_none_or(str::is_empty);
    match item["type"].as_str().or(item["@type"].as_str()) {
        Some("Action.OpenUrl" | "Image") => is_blank(&item["url"]),
        Some("ActionSet") => item["actions"].as_array().is_none_or(Vec::is_empty),
        Some("OpenUri") => item["targets"].as_array().is_none_or(|targets| targets.iter().all(|target| is_blank(&target["uri"]))),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn object(value: Value) -> Map<String, Value> {
        value.as_object().cloned().unwrap_or_default()
    }

    #[test]
    fn long_logs_are_cut_at_the_right_end_and_marked() {
        assert_eq!((log_head("x\r\ny\tz", 2900), log_tail("x\r\ny\tz", 2900)), ("x\ny\tz".to_owned(), "x\ny\tz".to_owned()));
        let text = "a".repeat(2999);
        assert_eq!(log_tail(&text, 2900), text);
        assert_eq!(log_tail(&format!("{text}z"), 2900), format!("{CUT}\n{}z", "a".repeat(2899)));
        assert_eq!(log_head(&format!("z{text}"), 2900), format!("z{}\n{CUT}", "a".repeat(2899)));
        assert_eq!((log_head("abcdef", 3), log_tail("abcdef", 3)), (format!("abc\n{CUT}"), format!("{CUT}\ndef")));
        assert_eq!((log_head("abc", 3), log_tail("", 0)), ("abc".to_owned(), String::new()));
    }

    #[test]
    fn texts_are_cut_until_the_message_fits_and_nothing_else_is() {
        let mut message =
            object(json!({ "type": "message", "text": "t".repeat(50_000), "url": format!("https://x/{}", "u".repeat(3000)) }));
        shorten(&mut message);
        assert!(fits(&message) && message["url"].as_str().is_some_and(|url| url.len() == 3010));
        assert!(message["text"].as_str().is_some_and(|text| text.len() == 4000 && text.ends_with("ttt...")));
    }

    #[test]
    fn parts_are_left_out_when_cutting_is_not_enough() {
        let part = |text: &str| json!({ "type": "TextBlock", "text": text });
        let mut body = vec![part("first"); 1];
        body.extend(vec![json!({ "type": "FactSet", "facts": vec![json!({ "title": "t".repeat(60), "value": "v".repeat(60) }); 40] }); 9]);
        let mut message = object(json!({ "attachments": [{ "content": { "body": body } }] }));
        shorten(&mut message);
        let body = super::super::card::body_of(&mut message).cloned().unwrap_or_default();
        assert!((2..10).contains(&body.len()) && body[0] == part("first"), "{}", body.len());
        assert!(fits(&message));
    }

    #[test]
    fn characters_count_as_teams_counts_them() {
        let message = |text: String| object(json!({ "text": text }));
        assert!(fits(&message("a".repeat(13_980))) && !fits(&message("a".repeat(14_000))));
        assert!(fits(&message("予".repeat(9_000))) && !fits(&message("予".repeat(9_400))));
    }

    #[test]
    fn what_has_no_address_is_left_out() {
        let action = |url: &str| json!({ "type": "Action.OpenUrl", "title": "t", "url": url });
        let set = |actions: Vec<Value>| json!({ "type": "ActionSet", "actions": actions });
        let mut card = json!({
            "body": [set(vec![action(""), action("https://x/")]), set(vec![action("")]), { "type": "Image", "url": "" }, { "type": "TextBlock", "text": "", "selectAction": action("") }],
            "potentialAction": [{ "@type": "OpenUri", "targets": [{ "os": "default", "uri": "" }] }],
        });
        drop_empty(&mut card);
        assert_eq!(card, json!({ "body": [set(vec![action("https://x/")]), { "type": "TextBlock", "text": "" }] }));
    }
}
