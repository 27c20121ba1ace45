//! Addresses of mail.

/// A name, if any, and an address: who a message is from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Mailbox {
    pub(super) name: Option<String>,
    pub(super) address: String,
}

/// Reads `ops@x.se`, `Ops <ops@x.se>`, `"Ops, all" <ops@x.se>`; what stands in round brackets is a comment and dropped.
pub(super) fn mailbox(text: &str) -> Option<Mailbox> {
    let text = without_comments(text)?;
    let text = text.trim();
    let (name, address) = match text.strip_suffix('>') {
        Some(rest) => rest.rsplit_once('<')?,
        None => ("", text),
    };
    let address = address.trim();
    let name = unquoted(name.trim())?;
    let name = name.split_whitespace().collect::<Vec<_>>().join(" ");
    is_address(address).then(|| Mailbox { name: (!name.is_empty()).then_some(name), address: address.to_owned() })
}

/// The text without comments; `None` if a bracket or a quote is not closed.
fn without_comments(text: &str) -> Option<String> {
    let (mut out, mut depth, mut quoted, mut escaped) = (String::new(), 0_usize, false, false);
    for c in text.chars() {
        let is_escaped = std::mem::take(&mut escaped);
        match c {
            '\\' if !is_escaped && (quoted || depth > 0) => {
                escaped = true;
                if quoted {
                    out.push(c);
                }
            }
            '"' if !is_escaped && depth == 0 => {
                quoted = !quoted;
                out.push(c);
            }
            '(' if !quoted && !is_escaped => depth += 1,
            ')' if !quoted && !is_escaped => depth = depth.checked_sub(1)?,
            c if depth == 0 => out.push(c),
            _ => {}
        }
    }
    (depth == 0 && !quoted).then_some(out)
}

/// A display name, with its quotes taken off; `None` for one that can't be one.
fn unquoted(name: &str) -> Option<String> {
    let Some(inner) = name.strip_prefix('"').and_then(|rest| rest.strip_suffix('"')) else {
        return (!name.contains(['<', '>', '@', ',', '"', ';', ':'])).then(|| name.to_owned());
    };
    let mut out = String::new();
    let mut chars = inner.chars();
    while let Some(c) = chars.next() {
        out.push(if c == '\\' { chars.next()? } else { c });
    }
    Some(out)
}

/// Whether a text is `local@domain.tld`, as plain ASCII.
pub(super) fn is_address(text: &str) -> bool {
    const ODD: &[u8] = b"!#$%&'*+-/=?^_`{|}~";
    let Some((local, domain)) = text.rsplit_once('@') else { return false };
    let is_atom = |atom: &str| !atom.is_empty() && atom.bytes().all(|byte| byte.is_ascii_alphanumeric() || ODD.contains(&byte));
    let is_label = |label: &str| {
        (1..=63).contains(&label.len())
            && label.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
            && !label.starts_with('-')
            && !label.ends_with('-')
    };
    text.len() <= 254 && local.len() <= 64 && local.split('.').all(is_atom) && domain.contains('.') && domain.split('.').all(is_label)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn recipients_are_plain_addresses() {
        for good in ["a@x.se", "first.last+tag@mail.example.com", "o'brien@x-y.co", "1@2.3"] {
            assert!(is_address(good), "{good}");
        }
        let long = format!("{}@x.se", "a".repeat(65));
        let label = format!("a@{}.se", "b".repeat(64));
        let bad =
            ["", "a", "a@b", "@x.se", "a@", "a@x.", "a@.se", "a b@x.se", "Ops <a@x.se>", "a@x.se\r\nRCPT TO:<b@x.se>", "ä@x.se", "a@ä.se"];
        for bad in bad.into_iter().chain(["a..b@x.se", ".a@x.se", "a@-x.se", "a@x_y.se", "a>@x.se", &long, &label]) {
            assert!(!is_address(bad), "{bad}");
        }
    }

    #[test]
    fn senders_have_names() {
        let read = |text: &str| mailbox(text).map(|m| (m.name.unwrap_or_default(), m.address));
        let some = |name: &str| Some((name.to_owned(), "ops@x.se".to_owned()));
        assert_eq!(read("ops@x.se"), some(""));
        assert_eq!(read(" <ops@x.se> "), some(""));
        assert_eq!(read("Ops (do not reply) <ops@x.se>"), some("Ops"));
        assert_eq!(read("\"Ops, \\\"all\\\" (of us)\" <ops@x.se>"), some("Ops, \"all\" (of us)"));
        assert_eq!(read("Göran  B <ops@x.se>"), some("Göran B"));
        for bad in ["", "Ops", "Ops <ops@x>", "a, b <ops@x.se>", "Ops (x <ops@x.se>", "\"Ops <ops@x.se>", "Ops <ops@x.se> x"] {
            assert_eq!(mailbox(bad), None, "{bad}");
        }
    }
}
