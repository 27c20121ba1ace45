//! MQTT 5.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use rumqttc_v5::mqttbytes::Error as PacketError;
use rumqttc_v5::{
    AsyncClient, ClientError, ConnAck, ConnectReturnCode, ConnectionError, DisconnectReasonCode, Event, IncomingPacketSizeLimit, LastWill,
    MqttOptions, Packet, PubAck, PubAckReason, PublishNoticeError, PublishOptions, PublishProperties, PublishResult, QoS, StateError,
    SubscribeNoticeError,
};

use super::{End, Inbox, LONGEST_INCOMING, LONGEST_OUTGOING, Link, OVERHEAD, Opened, Publication, WAITING, Will, only_once};
use crate::mqtt::broker::Broker;
use crate::mqtt::dial::{broken, dial};
use crate::mqtt::fault::{Fault, FaultKind};

#[derive(Debug)]
struct V5 {
    client: Client,
    end: End,
    broker: Arc<Broker>,
    /// The longest packet that the broker takes.
    longest: usize,
}

/// The client; what it shows of itself is the password as well.
struct Client(AsyncClient);

impl std::fmt::Debug for Client {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Client")
    }
}

pub(super) async fn open(broker: &Arc<Broker>, will: Option<&Will>, inbox: Option<Inbox>) -> Result<Opened, Fault> {
    let stream = only_once(dial(broker).await?);
    let mut options = MqttOptions::new(broker.client_id.as_str(), (broker.host.as_str(), broker.port));
    options.set_keep_alive(u16::try_from(broker.keep_alive.as_secs()).unwrap_or(u16::MAX)).set_clean_start(true);
    options.set_incoming_packet_size_limit(IncomingPacketSizeLimit::Bytes(LONGEST_INCOMING));
    // How long it may take is decided by whoever asks.
    options.set_connect_timeout(Duration::from_secs(u64::from(u32::MAX)));
    options.set_socket_connector(move |_, _| std::future::ready(stream()));
    match &broker.login {
        Some((user, Some(password))) => options.set_credentials(user.as_str(), password.clone()),
        Some((user, None)) => options.set_username(user.as_str()),
        None => &mut options,
    };
    if let Some(will) = will {
        options.set_last_will(LastWill::new(will.topic.as_str(), will.payload.as_str(), QoS::AtLeastOnce, false, None));
    }
    let invalid = |why: String| Fault::new(FaultKind::Protocol, format!("no connection can be made with these settings: {why}"));
    let (client, mut events) = AsyncClient::builder(options).capacity(WAITING).try_build().map_err(|why| invalid(why.to_string()))?;
    let longest = match events.poll().await.map_err(|why| refused(&why, broker))? {
        Event::Incoming(Packet::ConnAck(ConnAck { properties: Some(properties), .. })) => properties.max_packet_size,
        _ => None,
    };
    let (ended, end) = End::channel();
    let at = Arc::clone(broker);
    let run = async move {
        let why = loop {
            match events.poll().await {
                Ok(Event::Incoming(Packet::Publish(message))) => {
                    inbox.iter().for_each(|inbox| inbox.offer(&message.topic, &message.payload));
                }
                Ok(_) => {}
                Err(why) => break lost(&why, &at),
            }
        };
        ended.send_replace(Some(why));
    };
    let longest = longest.and_then(|longest| usize::try_from(longest).ok()).unwrap_or(LONGEST_OUTGOING);
    let link = Arc::new(V5 { client: Client(client), end: end.clone(), broker: Arc::clone(broker), longest });
    Ok(Opened { link, run: Box::pin(run), end })
}

#[async_trait]
impl Link for V5 {
    async fn publish(&self, publication: &Publication) -> Result<(), Fault> {
        let Publication { topic, payload, key, content_type } = publication;
        let properties: usize = [key, content_type].into_iter().flatten().map(|text| text.len()).sum();
        if topic.len() + payload.len() + properties + OVERHEAD > self.longest {
            // Sent all the same, it would cost the connection, and all that is under way on it.
            let message = format!(
                "{} takes packets of {} bytes at most, and this one has {} more or less",
                self.broker.shown(),
                self.longest,
                payload.len()
            );
            return Err(Fault::new(FaultKind::TooLarge, message));
        }
        let properties = PublishProperties {
            payload_format_indicator: Some(1),
            user_properties: key.iter().map(|key| ("idempotency-key".to_owned(), key.clone())).collect(),
            content_type: content_type.clone(),
            ..PublishProperties::default()
        };
        let publishing = async {
            let options = PublishOptions::at_least_once().properties(properties);
            let notice = self.client.0.publish_tracked(topic.as_str(), payload.clone(), options).await;
            match notice.map_err(|why| self.not_sent(why))?.wait_async().await {
                Ok(PublishResult::Qos1(answer)) => self.verdict(&answer, topic),
                Ok(_) | Err(PublishNoticeError::Recv | PublishNoticeError::SessionReset) => Err(self.end.reason()),
                Err(why) => Err(Fault::new(FaultKind::Protocol, self.broker.blotted(&why.to_string()))),
            }
        };
        self.end.or(publishing).await
    }

    async fn subscribe(&self, filter: &str) -> Result<(), Fault> {
        let subscribing = async {
            let notice = self.client.0.subscribe_tracked(filter, QoS::AtLeastOnce).await;
            let acknowledged = notice.map_err(|why| self.not_sent(why))?.wait_completion_async().await;
            acknowledged.map_err(|why| match why {
                SubscribeNoticeError::V5SubAckFailure(codes) => {
                    let at = self.broker.shown();
                    Fault::new(FaultKind::Refused, format!("{at} refuses to let us subscribe to `{filter}`: {codes:?}"))
                }
                _ => self.end.reason(),
            })
        };
        self.end.or(subscribing).await
    }

    async fn leave(&self) {
        let _ = self.client.0.disconnect().await;
    }
}

impl V5 {
    fn not_sent(&self, why: ClientError) -> Fault {
        match why {
            ClientError::InvalidRequest(_) => Fault::new(FaultKind::Rejected, "this can't be said in MQTT: the topic is not valid"),
            _ => self.end.reason(),
        }
    }

    /// What the broker says of a publication.
    fn verdict(&self, answer: &PubAck, topic: &str) -> Result<(), Fault> {
        let (kind, says) = match answer.reason {
            PubAckReason::Success | PubAckReason::NoMatchingSubscribers => return Ok(()),
            PubAckReason::NotAuthorized => (FaultKind::Refused, "not authorised"),
            PubAckReason::TopicNameInvalid => (FaultKind::Rejected, "the topic is not valid"),
            PubAckReason::PayloadFormatInvalid => (FaultKind::Rejected, "the payload is not valid"),
            PubAckReason::QuotaExceeded => (FaultKind::Throttled, "a quota is exceeded"),
            PubAckReason::UnspecifiedError => (FaultKind::Busy, "an error that it does not name"),
            PubAckReason::ImplementationSpecificError => (FaultKind::Busy, "an error of its own"),
            PubAckReason::PacketIdentifierInUse => (FaultKind::Protocol, "the number of the packet is in use"),
        };
        let reason = answer.properties.as_ref().and_then(|properties| properties.reason_string.as_deref());
        let reason = reason.map(|reason| format!(": {}", self.broker.blotted(reason))).unwrap_or_default();
        let code = answer.reason as u8;
        Err(Fault::new(kind, format!("{} refuses the message to `{topic}`: {says} ({code:#04x}){reason}", self.broker.shown())))
    }
}

/// Why there is no connection.
fn refused(why: &ConnectionError, broker: &Broker) -> Fault {
    use ConnectReturnCode as Code;
    let at = broker.shown();
    let ConnectionError::ConnectionRefused(code) = why else { return lost(why, broker) };
    match code {
        Code::BadUserNamePassword => {
            Fault::new(FaultKind::Refused, format!("{at} refuses the login: wrong user or password; check `auth`"))
        }
        Code::NotAuthorized | Code::Banned | Code::BadAuthenticationMethod => {
            Fault::new(FaultKind::Refused, format!("{at} refuses the login ({code:?}); check `auth` and `client_id`"))
        }
        Code::BadClientId | Code::ClientIdentifierNotValid => {
            Fault::new(FaultKind::Refused, format!("{at} does not take the session `{}`; check `client_id`", broker.client_id))
        }
        Code::RefusedProtocolVersion | Code::UnsupportedProtocolVersion => {
            Fault::new(FaultKind::Protocol, format!("{at} does not speak MQTT 5; set `version` to \"3.1.1\""))
        }
        Code::ServerBusy | Code::QuotaExceeded | Code::ConnectionRateExceeded => {
            Fault::new(FaultKind::Throttled, format!("{at} has too much to do, it says ({code:?})"))
        }
        Code::ServiceUnavailable | Code::ServerUnavailable | Code::UnspecifiedError | Code::ImplementationSpecificError => {
            Fault::new(FaultKind::Busy, format!("{at} is not available at the moment, it says ({code:?})"))
        }
        other => Fault::new(FaultKind::Protocol, format!("{at} does not let us in: {other:?}")),
    }
}

/// Why a connection ended.
fn lost(why: &ConnectionError, broker: &Broker) -> Fault {
    let at = broker.shown();
    match why {
        ConnectionError::Io(why) | ConnectionError::MqttState(StateError::Io(why) | StateError::Deserialization(PacketError::Io(why))) => {
            broken(why, broker)
        }
        ConnectionError::MqttState(StateError::ConnectionAborted) => {
            Fault::new(FaultKind::Unreachable, format!("{at} closed the connection"))
        }
        ConnectionError::MqttState(StateError::AwaitPingResp) | ConnectionError::Timeout(_) => {
            Fault::new(FaultKind::Timeout, format!("{at} gave no sign of life"))
        }
        ConnectionError::MqttState(StateError::ServerDisconnect { reason_code, reason_string }) => {
            let reason = reason_string.as_deref().map(|reason| format!(": {}", broker.blotted(reason))).unwrap_or_default();
            let (kind, help) = match reason_code {
                DisconnectReasonCode::SessionTakenOver => (FaultKind::Unreachable, "; somebody else uses the same `client_id`"),
                DisconnectReasonCode::NotAuthorized => (FaultKind::Refused, "; check `auth`, and what it may publish"),
                DisconnectReasonCode::ServerBusy
                | DisconnectReasonCode::MessageRateTooHigh
                | DisconnectReasonCode::QuotaExceeded
                | DisconnectReasonCode::ConnectionRateExceeded => (FaultKind::Throttled, ""),
                _ => (FaultKind::Unreachable, ""),
            };
            Fault::new(kind, format!("{at} ended the connection: {reason_code:?}{reason}{help}"))
        }
        ConnectionError::RequestsDone => Fault::new(FaultKind::Unreachable, format!("the connection to {at} was closed from here")),
        ConnectionError::NotConnAck(_) | ConnectionError::MqttState(_) => {
            let why = broker.blotted(&why.to_string());
            Fault::new(FaultKind::Protocol, format!("what {at} says is no MQTT 5 ({why}); check `version`, `port` and `tls`"))
        }
        other => Fault::new(FaultKind::Protocol, format!("{at}: {}", broker.blotted(&other.to_string()))),
    }
}
