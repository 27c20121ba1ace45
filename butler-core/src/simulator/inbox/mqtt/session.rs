//! One client's connection.

use std::io;
use std::sync::PoisonError;

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::sync::broadcast::error::RecvError;

use super::packet::{self, Connect, Packet, Properties, Publish};
use super::{MqttAnswer, MqttClient, Published, Shared};

/// What a client says that is let in no more.
const BAD_LOGIN: u8 = 4;
const BAD_LOGIN_V5: u8 = 0x86;
/// The most that is kept of what is no packet yet.
const LONGEST: usize = 64 << 20;

pub(super) trait Stream: AsyncRead + AsyncWrite + Unpin + Send {}
impl<T: AsyncRead + AsyncWrite + Unpin + Send> Stream for T {}

pub(super) struct Session<'a> {
    stream: Box<dyn Stream>,
    shared: &'a Shared,
    over_tls: bool,
    buffer: Vec<u8>,
    version: u8,
    filters: Vec<String>,
}

/// How a connection goes on.
#[derive(PartialEq, Eq)]
enum Next {
    On,
    Farewell,
    Closed,
}

impl<'a> Session<'a> {
    pub(super) fn new(stream: Box<dyn Stream>, shared: &'a Shared, over_tls: bool) -> Self {
        Self { stream, shared, over_tls, buffer: Vec::new(), version: 4, filters: Vec::new() }
    }

    pub(super) async fn run(mut self) -> io::Result<()> {
        let mut kicks = self.shared.kicks.subscribe();
        let Some(Packet::Connect(connect)) = self.next().await? else { return Ok(()) };
        self.version = connect.version;
        if !self.welcome(&connect).await? {
            return Ok(());
        }
        let ended = tokio::select! {
            ended = self.talk() => ended,
            _ = kicks.changed() => Ok(Next::Closed),
        };
        if let (false, Some((topic, payload))) = (matches!(ended, Ok(Next::Farewell)), connect.will) {
            let payload = String::from_utf8_lossy(&payload).into_owned();
            let will = Published { topic, payload, qos: 1, retain: false, properties: Vec::new(), content_type: None, is_will: true };
            self.shared.received.add(will);
        }
        ended.map(drop)
    }

    /// Whether the client is let in.
    async fn welcome(&mut self, connect: &Connect) -> io::Result<bool> {
        let refusal = *self.shared.refusal.lock().unwrap_or_else(PoisonError::into_inner);
        let given = connect.user.clone().zip(connect.password.clone());
        let wrong = self.shared.options.login.is_some() && self.shared.options.login != given;
        let wrong = wrong.then_some(if self.version == 5 { BAD_LOGIN_V5 } else { BAD_LOGIN });
        let code = refusal.or(wrong).unwrap_or(0);
        if code == 0 {
            self.shared.clients.add(MqttClient {
                version: connect.version,
                client_id: connect.client_id.clone(),
                user: connect.user.clone(),
                keep_alive: connect.keep_alive,
                over_tls: self.over_tls,
                will: connect.will.clone().map(|(topic, payload)| (topic, String::from_utf8_lossy(&payload).into_owned())),
            });
        }
        let max_packet_size = self.shared.options.max_packet_size;
        self.say(&packet::connack(self.version, code, max_packet_size)).await?;
        if code != 0 {
            self.stream.shutdown().await?;
        }
        Ok(code == 0)
    }

    async fn talk(&mut self) -> io::Result<Next> {
        let mut outgoing = self.shared.outgoing.subscribe();
        loop {
            tokio::select! {
                packet = self.next() => match packet? {
                    None => return Ok(Next::Closed),
                    Some(packet) => match self.answer(packet).await? {
                        Next::On => {}
                        end => return Ok(end),
                    },
                },
                message = outgoing.recv() => match message {
                    Ok((topic, payload)) if self.filters.iter().any(|filter| fits(filter, &topic)) => {
                        let message = packet::publish(self.version, &topic, &payload);
                        self.say(&message).await?;
                    }
                    Ok(_) | Err(RecvError::Lagged(_)) => {}
                    Err(RecvError::Closed) => return Ok(Next::Closed),
                },
            }
        }
    }

    async fn answer(&mut self, packet: Packet) -> io::Result<Next> {
        match packet {
            Packet::Connect(_) => return Ok(Next::Closed),
            Packet::PubAck => {}
            Packet::PingReq => self.say(&packet::pingresp()).await?,
            Packet::Disconnect => return Ok(Next::Farewell),
            Packet::Subscribe { number, filters } => {
                let refused = *self.shared.refused_filters.lock().unwrap_or_else(PoisonError::into_inner);
                self.say(&packet::suback(self.version, number, if refused { 0x80 } else { 1 })).await?;
                if !refused {
                    self.filters.extend(filters.iter().cloned());
                    filters.into_iter().for_each(|filter| self.shared.subscriptions.add(filter));
                }
            }
            Packet::Publish(publish) => return self.take(publish).await,
        }
        Ok(Next::On)
    }

    async fn take(&mut self, publish: Publish) -> io::Result<Next> {
        let answer = self.shared.answer.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let number = publish.number;
        match answer {
            None => {}
            Some(MqttAnswer::Drop) => return Ok(Next::Closed),
            Some(MqttAnswer::Half) => {
                self.say(&packet::puback(number, 0, "")[..2]).await?;
                self.stream.shutdown().await?;
                return Ok(Next::Closed);
            }
            Some(MqttAnswer::Hold(gate)) => gate.pass().await,
            Some(MqttAnswer::Reason(reason, words)) => {
                self.say(&packet::puback(number, reason, &words)).await?;
                if reason >= 0x80 {
                    return Ok(Next::On);
                }
                self.keep(publish);
                return Ok(Next::On);
            }
        }
        let is_acknowledged = publish.qos > 0;
        self.keep(publish);
        if is_acknowledged {
            self.say(&packet::puback(number, 0, "")).await?;
        }
        Ok(Next::On)
    }

    fn keep(&self, publish: Publish) {
        let Publish { qos, retain, topic, number: _, properties: Properties { user, content_type }, payload } = publish;
        let payload = String::from_utf8_lossy(&payload).into_owned();
        self.shared.received.add(Published { topic, payload, qos, retain, properties: user, content_type, is_will: false });
    }

    async fn say(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.stream.write_all(bytes).await?;
        self.stream.flush().await
    }

    /// The next packet; `None` at the end of the connection.
    async fn next(&mut self) -> io::Result<Option<Packet>> {
        loop {
            match packet::take(&mut self.buffer, self.version) {
                Ok(Some(packet)) => return Ok(Some(packet)),
                Ok(None) if self.buffer.len() <= LONGEST => {}
                _ => return Ok(None),
            }
            if self.stream.read_buf(&mut self.buffer).await? == 0 {
                return Ok(None);
            }
        }
    }
}

/// Whether a topic is among those that a filter stands for.
fn fits(filter: &str, topic: &str) -> bool {
    let (mut filters, mut levels) = (filter.split('/'), topic.split('/'));
    loop {
        match (filters.next(), levels.next()) {
            (Some("#"), _) | (None, None) => return true,
            (Some("+"), Some(_)) => {}
            (Some(filter), Some(level)) if filter == level => {}
            _ => return false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::fits;

    #[test]
    fn filters_fit_as_the_standard_says() {
        for (filter, topic) in [("#", "a/b"), ("a/#", "a/b/c"), ("a/#", "a"), ("+/b", "a/b"), ("a/b", "a/b")] {
            assert!(fits(filter, topic), "{filter} {topic}");
        }
        for (filter, topic) in [("a", "a/b"), ("a/+", "a"), ("a/+", "a/b/c"), ("b/#", "a/b")] {
            assert!(!fits(filter, topic), "{filter} {topic}");
        }
    }
}
