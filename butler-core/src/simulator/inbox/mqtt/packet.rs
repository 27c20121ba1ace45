//! Packets of MQTT 3.1.1 and 5, as far as a broker reads and writes them that keeps what is published. Written from the standard, and from nothing that
//! a client of ours uses: what both get wrong in the same way would never be found.

/// What a client says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Packet {
    Connect(Connect),
    Publish(Publish),
    PubAck,
    Subscribe { number: u16, filters: Vec<String> },
    PingReq,
    Disconnect,
}

#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Connect {
    pub(super) version: u8,
    pub(super) clean: bool,
    pub(super) keep_alive: u16,
    pub(super) client_id: String,
    pub(super) will: Option<(String, Vec<u8>)>,
    pub(super) user: Option<String>,
    pub(super) password: Option<String>,
}

#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Publish {
    pub(super) qos: u8,
    pub(super) retain: bool,
    pub(super) topic: String,
    pub(super) number: u16,
    pub(super) properties: Properties,
    pub(super) payload: Vec<u8>,
}

/// The properties of version 5 that somebody may look at.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Properties {
    pub(super) user: Vec<(String, String)>,
    pub(super) content_type: Option<String>,
}

/// Something that is no packet, or none that is known here.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Malformed;

/// Takes the first packet off what has come; `None` while it is not whole.
pub(super) fn take(buffer: &mut Vec<u8>, version: u8) -> Result<Option<Packet>, Malformed> {
    let (mut length, mut at) = (0_usize, 1);
    loop {
        let Some(byte) = buffer.get(at) else { return Ok(None) };
        length |= usize::from(byte & 0x7f) << (7 * (at - 1));
        at += 1;
        if byte & 0x80 == 0 {
            break;
        }
        if at > 4 {
            return Err(Malformed);
        }
    }
    if buffer.len() < at + length {
        return Ok(None);
    }
    let first = buffer[0];
    let packet: Vec<u8> = buffer.drain(..at + length).skip(at).collect();
    read(first, Reader(&packet), version).ok_or(Malformed).map(Some)
}

fn read(first: u8, mut body: Reader<'_>, version: u8) -> Option<Packet> {
    Some(match first >> 4 {
        1 => Packet::Connect(connect(&mut body)?),
        3 => {
            let qos = first >> 1 & 3;
            let mut publish = Publish { qos, retain: first & 1 == 1, topic: body.text()?, ..Publish::default() };
            if qos > 0 {
                publish.number = body.number()?;
            }
            if version == 5 {
                publish.properties = body.properties()?;
            }
            publish.payload = body.0.to_vec();
            Packet::Publish(publish)
        }
        4 => Packet::PubAck,
        8 => {
            let number = body.number()?;
            if version == 5 {
                body.properties()?;
            }
            let mut filters = Vec::new();
            while !body.0.is_empty() {
                filters.push(body.text()?);
                body.byte()?;
            }
            Packet::Subscribe { number, filters }
        }
        12 => Packet::PingReq,
        14 => Packet::Disconnect,
        _ => return None,
    })
}

fn connect(body: &mut Reader<'_>) -> Option<Connect> {
    if body.text()? != "MQTT" {
        return None;
    }
    let version = body.byte()?;
    let flags = body.byte()?;
    let keep_alive = body.number()?;
    if version == 5 {
        body.properties()?;
    }
    let client_id = body.text()?;
    let will = if flags & 0x04 != 0 {
        if version == 5 {
            body.properties()?;
        }
        Some((body.text()?, body.bytes()?.to_vec()))
    } else {
        None
    };
    let user = if flags & 0x80 != 0 { Some(body.text()?) } else { None };
    let password = if flags & 0x40 != 0 { Some(body.text()?) } else { None };
    Some(Connect { version, clean: flags & 0x02 != 0, keep_alive, client_id, will, user, password })
}

struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    fn take(&mut self, count: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.0.split_at_checked(count)?;
        self.0 = rest;
        Some(taken)
    }

    fn byte(&mut self) -> Option<u8> {
        self.take(1).map(|bytes| bytes[0])
    }

    fn number(&mut self) -> Option<u16> {
        self.take(2).map(|bytes| u16::from_be_bytes([bytes[0], bytes[1]]))
    }

    fn bytes(&mut self) -> Option<&'a [u8]> {
        let length = self.number()?;
        self.take(usize::from(length))
    }

    fn text(&mut self) -> Option<String> {
        String::from_utf8(self.bytes()?.to_vec()).ok()
    }

    fn length(&mut self) -> Option<usize> {
        let mut length = 0;
        for at in 0..4 {
            let byte = self.byte()?;
            length |= usize::from(byte & 0x7f) << (7 * at);
            if byte & 0x80 == 0 {
                return Some(length);
            }
        }
        None
    }

    /// Properties; those that nobody looks at are skipped.
    fn properties(&mut self) -> Option<Properties> {
        let length = self.length()?;
        let mut inner = Reader(self.take(length)?);
        let mut found = Properties::default();
        while !inner.0.is_empty() {
            match inner.byte()? {
                38 => found.user.push((inner.text()?, inner.text()?)),
                3 => found.content_type = Some(inner.text()?),
                1 | 23 | 25 => drop(inner.byte()?),
                33..=35 => drop(inner.number()?),
                2 | 17 | 24 | 39 => drop(inner.take(4)?),
                8 | 9 | 21 | 22 => drop(inner.bytes()?),
                11 => drop(inner.length()?),
                _ => return None,
            }
        }
        Some(found)
    }
}

fn packet(first: u8, body: &[u8]) -> Vec<u8> {
    let mut all = vec![first];
    let mut rest = body.len();
    loop {
        let byte = u8::try_from(rest & 0x7f).unwrap_or_default();
        rest >>= 7;
        all.push(if rest > 0 { byte | 0x80 } else { byte });
        if rest == 0 {
            break;
        }
    }
    all.extend(body);
    all
}

fn text(text: &str) -> Vec<u8> {
    let length = u16::try_from(text.len()).unwrap_or(u16::MAX);
    [&length.to_be_bytes(), text.as_bytes()].concat()
}

/// The answer to a CONNECT.
pub(super) fn connack(version: u8, code: u8, max_packet_size: Option<u32>) -> Vec<u8> {
    let mut body = vec![0, code];
    if version == 5 {
        let properties = max_packet_size.map(|size| [&[39][..], &size.to_be_bytes()].concat()).unwrap_or_default();
        body.push(u8::try_from(properties.len()).unwrap_or_default());
        body.extend(properties);
    }
    packet(0x20, &body)
}

/// The answer to a PUBLISH. A reason that is not 0 is for version 5.
pub(super) fn puback(number: u16, reason: u8, words: &str) -> Vec<u8> {
    let mut body = number.to_be_bytes().to_vec();
    if reason != 0 {
        let words = [&[31][..], &text(words)].concat();
        body.push(reason);
        body.push(u8::try_from(words.len()).unwrap_or_default());
        body.extend(words);
    }
    packet(0x40, &body)
}

/// The answer to a SUBSCRIBE for one filter.
pub(super) fn suback(version: u8, number: u16, code: u8) -> Vec<u8> {
    let properties: &[u8] = if version == 5 { &[0] } else { &[] };
    packet(0x90, &[&number.to_be_bytes(), properties, &[code]].concat())
}

/// A message to a client, with QoS 0.
pub(super) fn publish(version: u8, topic: &str, payload: &[u8]) -> Vec<u8> {
    let properties: &[u8] = if version == 5 { &[0] } else { &[] };
    packet(0x30, &[&text(topic), properties, payload].concat())
}

/// The answer to a PINGREQ.
pub(super) fn pingresp() -> Vec<u8> {
    packet(0xd0, &[])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_packet_is_taken_once_it_is_whole() {
        let whole = [0x32, 10, 0, 3, b'a', b'/', b'b', 0, 7, b'h', b'i', b'!'];
        for length in 0..whole.len() {
            assert_eq!(take(&mut whole[..length].to_vec(), 4), Ok(None), "{length}");
        }
        let mut buffer = [&whole[..], &[0xc0, 0]].concat();
        let expected = Publish { qos: 1, topic: "a/b".into(), number: 7, payload: b"hi!".to_vec(), ..Publish::default() };
        assert_eq!(take(&mut buffer, 4), Ok(Some(Packet::Publish(expected))));
        assert_eq!(take(&mut buffer, 4), Ok(Some(Packet::PingReq)));
        assert!(buffer.is_empty());
    }

    #[test]
    fn lengths_have_as_many_bytes_as_they_need() {
        for (length, head) in [(127, 2), (128, 3), (16_383, 3), (16_384, 4)] {
            let written = packet(0x30, &text("t").into_iter().chain(std::iter::repeat_n(0, length - 3)).collect::<Vec<_>>());
            assert_eq!(written.len(), length + head);
            assert!(matches!(take(&mut written.clone(), 4), Ok(Some(Packet::Publish(publish))) if publish.payload.len() == length - 3));
        }
        assert_eq!(take(&mut vec![0x30, 0xff, 0xff, 0xff, 0xff, 1], 4), Err(Malformed));
    }
}
