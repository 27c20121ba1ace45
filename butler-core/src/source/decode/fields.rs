//! Single fields: cleaned, cut, and read as ids.

use std::borrow::Cow;

use uuid::Uuid;

/// The longest field that is kept, in UTF-16 units: the measure of the program whose place this one takes.
pub(super) const MAX_UNITS: usize = 500;

/// What the log framework of Qlik Sense prints for a property that is not set.
pub(super) const NULL: &str = "(null)";

/// The field without control characters, cut to [`MAX_UNITS`] and never within a character.
pub(super) fn clean(field: &str) -> Cow<'_, str> {
    // A text never has more UTF-16 units than bytes, so that this covers nearly every field there is.
    if field.len() <= MAX_UNITS && !field.bytes().any(|b| b.is_ascii_control()) {
        return Cow::Borrowed(field);
    }
    let mut units = 0;
    let kept = field.chars().filter(|c| !c.is_ascii_control()).take_while(|c| {
        units += c.len_utf16();
        units <= MAX_UNITS
    });
    Cow::Owned(kept.collect())
}

/// The field as text: cleaned, and empty where there was no value.
pub(super) fn text(field: &str) -> String {
    match clean(field) {
        text if text == NULL => String::new(),
        text => text.into_owned(),
    }
}

/// A field that should hold an id.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Id {
    /// Empty, or `(null)`.
    Empty,
    /// An id.
    Known(Uuid),
    /// Something else.
    Malformed,
}

impl Id {
    /// Reads an id in its one form, `8-4-4-4-12` hexadecimal digits; a form without dashes or with braces is none.
    pub(super) fn read(field: &str) -> Self {
        const HYPHENATED: usize = 36;
        let clean = clean(field);
        match clean.trim() {
            "" | NULL => Self::Empty,
            id if id.len() == HYPHENATED => Uuid::try_parse(id).map_or(Self::Malformed, Self::Known),
            _ => Self::Malformed,
        }
    }

    /// The id, unless it is none, or the zeros that stand for none.
    pub(super) fn known(self) -> Option<Uuid> {
        match self {
            Self::Known(id) if !id.is_nil() => Some(id),
            _ => None,
        }
    }
}

/// The start of a text for an error: short, on one line, nothing that would move a terminal's cursor.
pub(super) fn quote(text: &str) -> String {
    const SHOWN: usize = 80;
    let mut printable = text.chars().filter(|c| !c.is_control());
    let mut quoted: String = printable.by_ref().take(SHOWN).collect();
    if printable.next().is_some() {
        quoted.push('…');
    }
    format!("`{quoted}`")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn control_characters_go_and_others_stay() {
        assert_eq!(text("ho\u{1}st\t"), "host");
        assert_eq!(text("a\u{7f}b\r\n\0"), "ab");
        // Neither C1 controls nor the line separators of Unicode are removed.
        assert_eq!(text("a\u{85}\u{2028}b"), "a\u{85}\u{2028}b");
        assert_eq!(text("(null)\r\n"), "");
        assert_eq!(text("(null) and more"), "(null) and more");
    }

    #[test]
    fn a_long_field_is_cut_between_characters() {
        assert_eq!(text(&"x".repeat(600)), "x".repeat(500));
        assert_eq!(text(&"x".repeat(500)), "x".repeat(500));
        // 600 bytes, but 300 units: nothing is cut.
        assert_eq!(text(&"ä".repeat(300)), "ä".repeat(300));
        // The emoji takes two units, of which only one is left.
        assert_eq!(text(&format!("{}🙂y", "x".repeat(499))), "x".repeat(499));
        assert_eq!(text(&"🙂".repeat(300)), "🙂".repeat(250));
        // Control characters go first, and do not count.
        assert_eq!(text(&format!("\t{}", "x".repeat(500))), "x".repeat(500));
    }

    #[test]
    fn an_id_has_one_form_in_any_case() {
        let id = Uuid::from_u128(0xdec2_a02a_1680_44ef_8dc2_e2bf_b180_af87);
        for good in
            ["dec2a02a-1680-44ef-8dc2-e2bfb180af87", "DEC2A02A-1680-44EF-8DC2-E2BFB180AF87", " dec2a02a-1680-44ef-8dc2-e2bfb180af87\u{1}"]
        {
            assert_eq!(Id::read(good), Id::Known(id));
        }
        for empty in ["", " ", "(null)", "\t"] {
            assert_eq!(Id::read(empty), Id::Empty);
        }
        for bad in [
            "not-a-guid",
            "dec2a02a168044ef8dc2e2bfb180af87",
            "{dec2a02a-1680-44ef-8dc2-e2bfb180af87}",
            "dec2a02a-1680-44ef-8dc2-e2bfb180af8g",
            "äec2a02a-1680-44ef-8dc2-e2bfb180af8",
        ] {
            assert_eq!(Id::read(bad), Id::Malformed, "{bad}");
        }
        assert_eq!(Id::read("00000000-0000-0000-0000-000000000000").known(), None);
    }
}
