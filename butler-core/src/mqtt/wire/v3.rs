//! MQTT 3.1.1.

use std::sync::Arc;

use async_trait::async_trait;
use rumqttc_v4::mqttbytes::Error as PacketError;
use rumqttc_v4::{
    AsyncClient, ClientError, ConnectReturnCode, ConnectionError, Event, LastWill, MqttOptions, NetworkOptions, Packet, PublishNoticeError,
    PublishOptions, QoS, StateError, SubscribeNoticeError,
};

use super::{End, Inbox, LONGEST_INCOMING, LONGEST_OUTGOING, Link, OVERHEAD, Opened, Publication, WAITING, Will, only_once};
use crate::mqtt::broker::Broker;
use crate::mqtt::dial::{broken, dial};
use crate::mqtt::fault::{Fault, FaultKind};

#[derive(Debug)]
struct V3 {
    client: Client,
    end: End,
    broker: Arc<Broker>,
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
    options.set_keep_alive(u16::try_from(broker.keep_alive.as_secs()).unwrap_or(u16::MAX)).set_clean_session(true);
    options.set_max_packet_size(LONGEST_INCOMING as usize, LONGEST_OUTGOING);
    options.set_socket_connector(move |_, _| std::future::ready(stream()));
    match &broker.login {
        Some((user, Some(password))) => options.set_credentials(user.as_str(), password.clone()),
        Some((user, None)) => options.set_username(user.as_str()),
        None => &mut options,
    };
    if let Some(will) = will {
        options.set_last_will(LastWill::new(will.topic.as_str(), will.payload.as_str(), QoS::AtLeastOnce, false));
    }
    let invalid = |why: String| Fault::new(FaultKind::Protocol, format!("no connection can be made with these settings: {why}"));
    let (client, mut events) = AsyncClient::builder(options).capacity(WAITING).try_build().map_err(|why| invalid(why.to_string()))?;
    // How long it may take is decided by whoever asks.
    let mut network = NetworkOptions::new();
    network.set_connection_timeout(u64::from(u32::MAX));
    events.set_network_options(network);
    events.poll().await.map_err(|why| refused(&why, broker))?;
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
    let link = Arc::new(V3 { client: Client(client), end: end.clone(), broker: Arc::clone(broker) });
    Ok(Opened { link, run: Box::pin(run), end })
}

#[async_trait]
impl Link for V3 {
    async fn publish(&self, publication: &Publication) -> Result<(), Fault> {
        let Publication { topic, payload, .. } = publication;
        if topic.len() + payload.len() + OVERHEAD > LONGEST_OUTGOING {
            return Err(Fault::new(FaultKind::TooLarge, format!("{} bytes are more than a message of MQTT can hold", payload.len())));
        }
        let publishing = async {
            let options = PublishOptions::at_least_once();
            let notice = self.client.0.publish_tracked(topic.as_str(), payload.clone(), options).await;
            let acknowledged = notice.map_err(|why| self.not_sent(why))?.wait_async().await;
            acknowledged.map_err(|why| match why {
                PublishNoticeError::SessionPersistence(why) => Fault::new(FaultKind::Protocol, why),
                _ => self.end.reason(),
            })
        };
        self.end.or(publishing).await.map(drop)
    }

    async fn subscribe(&self, filter: &str) -> Result<(), Fault> {
        let subscribing = async {
            let notice = self.client.0.subscribe_tracked(filter, QoS::AtLeastOnce).await;
            let acknowledged = notice.map_err(|why| self.not_sent(why))?.wait_completion_async().await;
            acknowledged.map_err(|why| match why {
                SubscribeNoticeError::V4SubAckFailure(_) => {
                    Fault::new(FaultKind::Refused, format!("{} refuses to let us subscribe to `{filter}`", self.broker.shown()))
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

impl V3 {
    fn not_sent(&self, why: ClientError) -> Fault {
        match why {
            ClientError::InvalidRequest(_) => Fault::new(FaultKind::Rejected, "this can't be said in MQTT: the topic is not valid"),
            _ => self.end.reason(),
        }
    }
}

/// Why there is no connection.
fn refused(why: &ConnectionError, broker: &Broker) -> Fault {
    use ConnectReturnCode as Code;
    let at = broker.shown();
    match why {
        ConnectionError::ConnectionRefused(Code::BadUserNamePassword) => {
            Fault::new(FaultKind::Refused, format!("{at} refuses the login: wrong user or password; check `auth`"))
        }
        ConnectionError::ConnectionRefused(Code::NotAuthorized) => {
            Fault::new(FaultKind::Refused, format!("{at} refuses the login: not authorised; check `auth` and `client_id`"))
        }
        ConnectionError::ConnectionRefused(Code::BadClientId) => {
            Fault::new(FaultKind::Refused, format!("{at} does not take the session `{}`; check `client_id`", broker.client_id))
        }
        ConnectionError::ConnectionRefused(Code::RefusedProtocolVersion) => {
            Fault::new(FaultKind::Protocol, format!("{at} does not speak MQTT 3.1.1; set `version` to \"5\""))
        }
        ConnectionError::ConnectionRefused(_) => Fault::new(FaultKind::Busy, format!("{at} is not available at the moment, it says")),
        _ => lost(why, broker),
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
        ConnectionError::MqttState(StateError::AwaitPingResp) | ConnectionError::NetworkTimeout | ConnectionError::FlushTimeout => {
            Fault::new(FaultKind::Timeout, format!("{at} gave no sign of life"))
        }
        ConnectionError::RequestsDone => Fault::new(FaultKind::Unreachable, format!("the connection to {at} was closed from here")),
        ConnectionError::NotConnAck(_) | ConnectionError::MqttState(_) => {
            let why = broker.blotted(&why.to_string());
            Fault::new(FaultKind::Protocol, format!("what {at} says is no MQTT 3.1.1 ({why}); check `port` and `tls`"))
        }
        other => Fault::new(FaultKind::Protocol, format!("{at}: {}", broker.blotted(&other.to_string()))),
    }
}
