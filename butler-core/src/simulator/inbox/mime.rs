//! As much of MIME as it takes to read the mail that was received.

/// The value of a header, unfolded and with its encoded words decoded.
pub(super) fn header(message: &str, name: &str) -> Option<String> {
    let head = message.split("\r\n\r\n").next().unwrap_or_default();
    raw_header(head, name).map(|value| decode_words(&value))
}

fn raw_header(head: &str, name: &str) -> Option<String> {
    let mut found: Option<String> = None;
    for line in head.split("\r\n") {
        match &mut found {
            Some(value) if line.starts_with([' ', '\t']) => value.push_str(line),
            Some(_) => break,
            None => {
                let value = line.split_once(':').filter(|(known, _)| known.eq_ignore_ascii_case(name));
                found = value.map(|(_, value)| value.trim_start().to_owned());
            }
        }
    }
    found.map(|value| value.split_whitespace().collect::<Vec<_>>().join(" "))
}

/// The decoded part of that type: the message itself, or one of a multipart message.
pub(super) fn part(message: &str, content_type: &str) -> Option<String> {
    let (head, body) = message.split_once("\r\n\r\n")?;
    let own = raw_header(head, "content-type").unwrap_or_else(|| "text/plain".to_owned());
    if let Some(boundary) = own.to_ascii_lowercase().starts_with("multipart/").then(|| parameter(&own, "boundary")).flatten() {
        let body = format!("\r\n{body}");
        return body.split(&format!("\r\n--{boundary}")).skip(1).find_map(|inner| part(inner.strip_prefix("\r\n")?, content_type));
    }
    if !own.to_ascii_lowercase().starts_with(content_type) {
        return None;
    }
    let bytes = match raw_header(head, "content-transfer-encoding").unwrap_or_default().to_ascii_lowercase().as_str() {
        "quoted-printable" => quoted_printable(body, false),
        "base64" => base64(body).unwrap_or_default(),
        _ => body.as_bytes().to_vec(),
    };
    Some(String::from_utf8_lossy(&bytes).into_owned())
}

fn parameter(header: &str, name: &str) -> Option<String> {
    let value = header.split(';').find_map(|part| part.trim().strip_prefix(name)?.strip_prefix('='))?;
    Some(value.trim().trim_matches('"').to_owned())
}

fn decode_words(text: &str) -> String {
    let mut out = String::new();
    let mut rest = text;
    let mut after_word = false;
    while let Some(start) = rest.find("=?") {
        let decoded = rest[start + 2..].splitn(4, '?').collect::<Vec<_>>();
        let [_, encoding, word, after] = decoded[..] else { break };
        let Some(after) = after.strip_prefix('=') else { break };
        // White space between two encoded words belongs to neither.
        if !(after_word && rest[..start].trim().is_empty()) {
            out.push_str(&rest[..start]);
        }
        let bytes = if encoding.eq_ignore_ascii_case("b") { base64(word).unwrap_or_default() } else { quoted_printable(word, true) };
        out.push_str(&String::from_utf8_lossy(&bytes));
        rest = after;
        after_word = true;
    }
    out + rest
}

fn quoted_printable(text: &str, is_word: bool) -> Vec<u8> {
    let mut out = Vec::with_capacity(text.len());
    let mut bytes = text.as_bytes();
    while let Some((&byte, rest)) = bytes.split_first() {
        bytes = rest;
        match byte {
            b'=' if rest.starts_with(b"\r\n") => bytes = &rest[2..],
            b'=' if rest.len() >= 2 => {
                let code = std::str::from_utf8(&rest[..2]).ok().and_then(|code| u8::from_str_radix(code, 16).ok());
                out.push(code.unwrap_or(b'?'));
                bytes = &rest[2..];
            }
            b'_' if is_word => out.push(b' '),
            byte => out.push(byte),
        }
    }
    out
}

/// Decodes base64 with line breaks in it; `None` for anything else.
pub(super) fn base64(text: &str) -> Option<Vec<u8>> {
    let mut out = Vec::with_capacity(text.len() / 4 * 3);
    let (mut bits, mut count) = (0_u32, 0);
    for byte in text.bytes().filter(|byte| !byte.is_ascii_whitespace() && *byte != b'=') {
        let six = match byte {
            b'A'..=b'Z' => byte - b'A',
            b'a'..=b'z' => byte - b'a' + 26,
            b'0'..=b'9' => byte - b'0' + 52,
            b'+' => 62,
            b'/' => 63,
            _ => return None,
        };
        bits = bits << 6 | u32::from(six);
        count += 6;
        if count >= 8 {
            count -= 8;
            out.push(u8::try_from(bits >> count & 0xff).unwrap_or_default());
        }
    }
    Some(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn headers_and_parts_are_decoded() {
        let mail = "Subject: =?utf-8?Q?R=C3=A4kna_om?=\r\n =?UTF-8?B?IGxhZ2Vy?= =?x\r\nContent-Type: multipart/alternative;\r\n boundary=\"b1\"\r\n\r\n\
            --b1\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\nl=C3=A5ng=\r\n rad\r\n\
            --b1\r\nContent-Type: text/html\r\nContent-Transfer-Encoding: base64\r\n\r\nPGI+aGVqPC9i\r\nPg==\r\n--b1--\r\n";
        assert_eq!(header(mail, "subject").as_deref(), Some("Räkna om lager =?x"));
        assert_eq!(part(mail, "text/plain").as_deref(), Some("lång rad"));
        assert_eq!(part(mail, "text/html").as_deref(), Some("<b>hej</b>"));
        assert_eq!(part("A: b\r\n\r\ntext", "text/plain").as_deref(), Some("text"));
        assert_eq!(part(mail, "image/png"), None);
    }
}
