//! What Slack takes: a message that is beyond its limits is refused as a whole, so every part is brought within them.

use serde_json::{Map, Value, json};

const HEADER: usize = 150;
const SECTION: usize = 3000;
const FIELD: usize = 2000;
const BUTTON: usize = 75;
const URL: usize = 3000;
const BLOCKS: usize = 50;
const FIELDS: usize = 10;
const ELEMENTS: usize = 25;
/// What starts and ends code.
const FENCE: &str = "```";
/// From which length on the end of a script log is cut, and to which.
const LOG: (usize, usize) = (3000, 2900);
/// The line that marks a cut script log.
const CUT: &str = "----Script log truncated by Butler----";

/// Brings a message within the limits. Buttons without an address are left out, and so is a row of buttons that has none left.
pub(super) fn enforce(message: &mut Map<String, Value>) {
    if let Some(Value::Array(blocks)) = message.get_mut("blocks") {
        enforce_blocks(blocks);
    }
    for attachment in message.get_mut("attachments").and_then(Value::as_array_mut).into_iter().flatten() {
        if let Some(Value::Array(blocks)) = attachment.get_mut("blocks") {
            enforce_blocks(blocks);
        }
    }
}

/// Adds notes at the end of a message: as a block of their own, or below its text.
pub(super) fn add_notes(message: &mut Map<String, Value>, notes: &str) {
    match message.get_mut("blocks") {
        Some(Value::Array(blocks)) => {
            blocks.truncate(BLOCKS - 1);
            blocks.push(json!({ "type": "context", "elements": [{ "type": "mrkdwn", "text": notes }] }));
        }
        _ => {
            let text = message.get("text").and_then(Value::as_str).unwrap_or_default();
            let text = format!("{text}\n{notes}");
            message.insert("text".to_owned(), text.into());
        }
    }
}

fn enforce_blocks(blocks: &mut Vec<Value>) {
    blocks.retain_mut(|block| match block["type"].as_str() {
        Some("header") => {
            shorten(text_of(block), |text| cut(text, HEADER));
            true
        }
        Some("section") => enforce_section(block),
        Some("actions") => enforce_elements(block, ELEMENTS),
        Some("context") => enforce_elements(block, FIELDS),
        Some("image") => block["image_url"].as_str().is_none_or(|url| !url.is_empty()),
        _ => true,
    });
    blocks.truncate(BLOCKS);
}

/// Whether anything of the section is left.
fn enforce_section(section: &mut Value) -> bool {
    shorten(text_of(section), |text| cut_inside(text, SECTION));
    if let Some(Value::Array(fields)) = section.get_mut("fields") {
        fields.truncate(FIELDS);
        fields.iter_mut().for_each(|field| shorten(field.get_mut("text"), |text| cut(text, FIELD)));
    }
    let Some(parts) = section.as_object_mut() else { return false };
    if parts.get("fields").is_some_and(|fields| fields.as_array().is_some_and(Vec::is_empty)) {
        parts.shift_remove("fields");
    }
    if parts.get_mut("accessory").is_some_and(|accessory| !enforce_element(accessory)) {
        parts.shift_remove("accessory");
    }
    parts.contains_key("text") || parts.contains_key("fields")
}

/// Whether any of the elements is left.
fn enforce_elements(block: &mut Value, most: usize) -> bool {
    let Some(Value::Array(elements)) = block.get_mut("elements") else { return true };
    elements.retain_mut(enforce_element);
    elements.truncate(most);
    !elements.is_empty()
}

/// Whether an element is one that Slack takes.
fn enforce_element(element: &mut Value) -> bool {
    if element["type"] == "image" {
        return element["image_url"].as_str().is_none_or(|url| !url.is_empty());
    }
    if element["type"] != "button" {
        shorten(element.get_mut("text"), |text| cut(text, SECTION));
        return true;
    }
    shorten(text_of(element), |text| cut(text, BUTTON));
    let Some(url) = element.get_mut("url") else { return true };
    let Value::String(url) = url else { return false };
    // Templates write addresses as they write texts, but an address is taken as it stands.
    *url = url.replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&");
    !url.is_empty() && length(url) <= URL
}

fn text_of(block: &mut Value) -> Option<&mut Value> {
    block.get_mut("text").and_then(|text| text.get_mut("text"))
}

/// Brings a text within a length, and puts a space where Slack wants at least something.
fn shorten(text: Option<&mut Value>, cut: impl FnOnce(&str) -> String) {
    if let Some(Value::String(text)) = text {
        if text.is_empty() {
            text.push(' ');
        } else {
            *text = cut(text);
        }
    }
}

/// Cuts a text to a length, in the middle if that is code: of a log, the start or the end is what matters.
fn cut_inside(text: &str, longest: usize) -> String {
    const GAP: &str = "\n...\n";
    if length(text) <= longest {
        return text.to_owned();
    }
    let room = longest.saturating_sub(GAP.len());
    let fitting = |parts: &mut dyn Iterator<Item = &str>, room: usize| {
        let mut used = 0;
        let within = |part: &&str| {
            used += length(part);
            used <= room
        };
        parts.take_while(within).map(str::len).sum::<usize>()
    };
    let all: Vec<_> = parts(text).collect();
    let (start, _) = text.split_at(fitting(&mut all.iter().copied(), room / 2));
    let (_, end) = text.split_at(text.len() - fitting(&mut all.iter().rev().copied(), room - room / 2));
    let is_within_code = |text: &str| text.matches(FENCE).count() % 2 == 1;
    if is_within_code(start) && is_within_code(end) { format!("{start}{GAP}{end}") } else { cut(text, longest) }
}

/// Cuts a text to a length, not within an entity, and closes a code block that is open then.
pub(super) fn cut(text: &str, longest: usize) -> String {
    const DOTS: &str = "...";
    if length(text) <= longest {
        return text.to_owned();
    }
    let room = longest.saturating_sub(DOTS.len() + FENCE.len());
    let mut kept = String::new();
    let mut used = 0;
    for part in parts(text) {
        used += length(part);
        if used > room {
            break;
        }
        kept.push_str(part);
    }
    let is_open = kept.matches(FENCE).count() % 2 == 1;
    kept.push_str(DOTS);
    if is_open {
        kept.push_str(FENCE);
    }
    kept
}

/// Slack counts as JavaScript does.
fn length(text: &str) -> usize {
    text.encode_utf16().count()
}

/// Characters, with an entity and what starts or ends code as one part.
fn parts(text: &str) -> impl Iterator<Item = &str> {
    let mut rest = text;
    std::iter::from_fn(move || {
        let first = rest.chars().next()?;
        let entity = ["&amp;", "&lt;", "&gt;", FENCE].into_iter().find(|entity| rest.starts_with(entity));
        let (part, after) = rest.split_at(entity.map_or(first.len_utf8(), str::len));
        rest = after;
        Some(part)
    })
}

/// The start of a script log, cut if it is too long for a section.
pub(super) fn log_head(text: &str) -> String {
    let text = text.replace('\r', "");
    if !is_too_long(&text) {
        return text;
    }
    let mut used = 0;
    let end = text.char_indices().find(|(_, c)| {
        used += weight(*c);
        used > LOG.1
    });
    let kept = end.map_or(text.as_str(), |(end, _)| &text[..end]);
    format!("{kept}\n{CUT}")
}

/// The end of a script log, cut if it is too long for a section.
pub(super) fn log_tail(text: &str) -> String {
    let text = text.replace('\r', "");
    if !is_too_long(&text) {
        return text;
    }
    let mut used = 0;
    let start = text.char_indices().rev().find(|(_, c)| {
        used += weight(*c);
        used > LOG.1
    });
    let kept = start.map_or(text.as_str(), |(start, c)| &text[start + c.len_utf8()..]);
    format!("{CUT}\n{kept}")
}

/// Whether a script log is long by the original's count, where a line end and a tab are two characters, or as Slack gets it, where entities are.
fn is_too_long(text: &str) -> bool {
    let plain: usize = text.chars().map(|c| if matches!(c, '\n' | '\t') { 2 } else { c.len_utf16() }).sum();
    let rendered: usize = text.chars().map(|c| if matches!(c, '&' | '<' | '>') { weight(c) } else { c.len_utf16() }).sum();
    plain >= LOG.0 || rendered >= LOG.0
}

/// What a character takes of the room for a script log, at the most.
fn weight(c: char) -> usize {
    match c {
        '&' => 5,
        '<' | '>' => 4,
        '"' | '\'' | '=' => 6,
        '\n' | '\t' => 2,
        c => c.len_utf16(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cut_text_has_whole_entities_and_closed_blocks() {
        assert_eq!(cut("12345", 5), "12345");
        assert_eq!(cut("1234&amp;&lt;7890", 15), "1234&amp;...");
        assert_eq!(cut("```12345678901234567890```", 20), "```12345678901...```");
        assert_eq!(cut("💥💥💥💥💥💥", 10), "💥💥...");
    }

    #[test]
    fn long_logs_are_cut_at_the_right_end_and_marked() {
        let line = |text: &str| format!("{text}\r\n").repeat(200);
        let short = "x\r\ny\tz";
        assert_eq!((log_head(short), log_tail(short)), ("x\ny\tz".to_owned(), "x\ny\tz".to_owned()));
        let (head, tail) = (log_head(&format!("first{}", line("0123456789&<>"))), log_tail(&format!("{}last", line("0123456789&<>"))));
        assert!(head.starts_with("first") && head.ends_with("\n----Script log truncated by Butler----"));
        assert!(tail.starts_with("----Script log truncated by Butler----\n") && tail.ends_with("last"));
        for text in [head, tail] {
            let rendered: usize = text.chars().map(|c| if matches!(c, '&' | '<' | '>') { weight(c) } else { 1 }).sum();
            assert!((2700..2950).contains(&rendered), "{rendered}");
        }
    }

    #[test]
    fn a_log_of_2999_plain_characters_is_left_whole() {
        let text = "a".repeat(2999);
        assert_eq!(log_tail(&text), text);
        assert_eq!(log_tail(&format!("{text}a")), format!("{CUT}\n{}", "a".repeat(2900)));
        assert_eq!(log_head(&format!("{text}a")), format!("{}\n{CUT}", "a".repeat(2900)));
    }

    #[test]
    fn code_is_cut_in_the_middle_and_other_text_at_the_end() {
        let log = format!("*Log*\n```first {} last```", "0123456789".repeat(10));
        let cut = cut_inside(&log, 60);
        assert_eq!(cut, "*Log*\n```first 012345678901\n...\n01234567890123456789 last```".to_owned());
        assert!(length(&cut) <= 60);
        assert_eq!(cut_inside("0123456789", 10), "0123456789");
        assert_eq!(cut_inside(&"0123456789".repeat(2), 16), "0123456789...");
        assert_eq!(cut_inside("```a``` 0123456789012345678", 20), "```a``` 012345...");
        let entities = format!("```{}```", "&lt;".repeat(20));
        assert_eq!(cut_inside(&entities, 30), "```&lt;&lt;\n...\n&lt;&lt;```");
    }

    #[test]
    fn addresses_stand_as_they_are_and_what_is_empty_goes() {
        let button = |url: &str| json!({ "type": "button", "text": { "type": "plain_text", "text": "b" }, "url": url });
        let Value::Object(mut message) = json!({ "blocks": [
            { "type": "actions", "elements": [button("https://x/?a=1&amp;b=&lt;2&gt;")] },
            { "type": "section", "text": { "type": "mrkdwn", "text": "t" }, "fields": [], "accessory": button("") },
            { "type": "section", "fields": [] },
            { "type": "image", "image_url": "", "alt_text": "a" },
            { "type": "context", "elements": [{ "type": "image", "image_url": "", "alt_text": "a" }, { "type": "mrkdwn", "text": "c" }] },
        ] }) else {
            unreachable!()
        };
        enforce(&mut message);
        let expected = json!([
            { "type": "actions", "elements": [button("https://x/?a=1&b=<2>")] },
            { "type": "section", "text": { "type": "mrkdwn", "text": "t" } },
            { "type": "context", "elements": [{ "type": "mrkdwn", "text": "c" }] },
        ]);
        assert_eq!(message["blocks"], expected);
    }

    #[test]
    fn blocks_are_brought_within_the_limits() {
        let button = |url: &str| json!({ "type": "button", "text": { "type": "plain_text", "text": "b".repeat(80) }, "url": url });
        let mut blocks = vec![
            json!({ "type": "header", "text": { "type": "plain_text", "text": "h".repeat(200) } }),
            json!({ "type": "actions", "elements": [button(""), button("https://x/")] }),
            json!({ "type": "actions", "elements": [button("")] }),
            json!({ "type": "section", "text": { "type": "mrkdwn", "text": "" }, "fields": vec![json!({ "type": "mrkdwn", "text": "f".repeat(3000) }); 12] }),
            json!({ "type": "divider" }),
        ];
        blocks.extend(vec![json!({ "type": "section", "text": { "type": "mrkdwn", "text": "s".repeat(4000) } }); 60]);
        let Value::Object(mut message) = json!({ "blocks": blocks.clone(), "attachments": [{ "blocks": blocks }] }) else { unreachable!() };
        enforce(&mut message);
        for blocks in [&message["blocks"], &message["attachments"][0]["blocks"]] {
            assert_eq!(blocks.as_array().map(Vec::len), Some(50));
            assert!(blocks[0]["text"]["text"].as_str().is_some_and(|text| text.len() <= 150 && text.ends_with("...")));
            assert_eq!(blocks[1]["elements"].as_array().map(Vec::len), Some(1));
            assert_eq!(blocks[2]["text"]["text"], " ");
            assert_eq!(blocks[2]["fields"].as_array().map(Vec::len), Some(10));
            assert_eq!(blocks[3]["type"], "divider");
            assert!(blocks[4]["text"]["text"].as_str().is_some_and(|text| text.len() <= 3000));
        }
    }
}
