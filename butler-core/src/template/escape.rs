//! How a value is written into the output.

/// How a value is written into the output, by where the output goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Escape {
    /// Into HTML: the characters that mean something there become entities; `{{{ }}}` writes raw.
    Html,
    /// As it is: a subject, a plain text.
    None,
    /// Into a text for Slack: `&`, `<` and `>` become entities; `{{{ }}}` writes raw.
    SlackText,
    /// Into a string of a JSON text for Slack: as in [`Escape::SlackText`], then escaped for JSON; `{{{ }}}` is escaped for JSON too.
    SlackJson,
    /// Into a string of a JSON text, in both forms.
    Json,
}

impl Escape {
    /// Whether even `{{{ }}}` has to be escaped for JSON.
    pub(super) fn is_json(self) -> bool {
        matches!(self, Self::SlackJson | Self::Json)
    }

    /// What the engine does with the text of every `{{ }}`; in JSON, of every `{{{ }}}` as well.
    pub(super) fn outer(self) -> fn(&str) -> String {
        match self {
            Self::Html => html,
            Self::None => str::to_owned,
            Self::SlackText => slack,
            Self::SlackJson | Self::Json => json,
        }
    }
}

fn html(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + text.len() / 8);
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#x27;"),
            '`' => out.push_str("&#x60;"),
            '=' => out.push_str("&#x3D;"),
            c => out.push(c),
        }
    }
    out
}

/// Slack's own rule: these three and no others.
pub(super) fn slack(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + text.len() / 8);
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            c => out.push(c),
        }
    }
    out
}

/// The inside of a JSON string.
fn json(text: &str) -> String {
    let mut quoted = serde_json::Value::from(text).to_string();
    quoted.pop();
    quoted.remove(0);
    quoted
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn json_is_escaped_inside_out() {
        assert_eq!(json("a\\q\"\r\n\tå\u{1}"), r#"a\\q\"\r\n\tå\u0001"#);
        assert_eq!(json(""), "");
    }
}
