//! Texts of any length and make.

use super::attempts::{attempt, failed, prepared};
use super::{INJECTION, SinkHarness};
use crate::event::{DeliveryId, SinkName};
use crate::sink::Delivery;
use crate::testkit::sink_samples::Sample;

/// A plain message names the event and the fault, and is delivered like any other.
pub async fn plain_messages_say_what_is_wrong<H: SinkHarness>() {
    let harness = H::start().await;
    let sink = harness.sink();
    let long: String = "<&é\\\"💥 ".chars().cycle().take(60_000).collect();
    let nasty = [
        ("long", failed().with_text(&long)),
        ("injection", failed().with_text(INJECTION)),
        ("unknown", failed().unknown().with_text(&long)),
    ];
    for (name, sample) in Sample::all().into_iter().chain(nasty) {
        let (sample, _) = prepared(&*sink, sample);
        let message = sink.plain(&sample.rendering(), "the template `t`, line 3: there is no helper `foo`");
        let key = DeliveryId::of(sample.event.id, &SinkName::from("plain"), &sample.target);
        let delivery = Delivery { key, event: &sample.event, target: &sample.target, message: &message, attempt: 1 };
        sink.deliver(&delivery).await.unwrap_or_else(|error| panic!("{name}: {error}"));
        let received = harness.received().pop().unwrap_or_default();
        assert!(received.text.contains("there is no helper"), "{name}: {}", received.text);
        assert!(!received.headers.iter().any(|(name, _)| name.eq_ignore_ascii_case("x-injected")), "{received:?}");
    }
}

/// A text of any length is sent, shortened if it must be.
pub async fn long_texts_arrive<H: SinkHarness>() {
    let harness = H::start().await;
    for length in [149, 150, 151, 2_999, 3_000, 3_001, 60_000] {
        let text: String = "<&é\\\"💥 ".chars().cycle().take(length).collect();
        attempt(&*harness.sink(), failed().with_text(&text), 1).await.unwrap_or_else(|error| panic!("{length}: {error}"));
    }
    assert_eq!(harness.received().len(), 7);
}

/// Letters of all scripts arrive as they are.
pub async fn every_script_arrives<H: SinkHarness>() {
    let harness = H::start().await;
    let text = "Räkna om 予算 💥 бюджет";
    attempt(&*harness.sink(), failed().with_text(text), 1).await.unwrap_or_else(|error| panic!("{error}"));
    let received = harness.received().pop().unwrap_or_default();
    assert!(received.text.contains(text), "{}", received.text);
}

/// Backslashes and quotes arrive, and break nothing.
pub async fn awkward_characters_arrive<H: SinkHarness>() {
    let harness = H::start().await;
    let text = r#"C:\new\q "x" ';--{{taskId}}"#;
    attempt(&*harness.sink(), failed().with_text(text), 1).await.unwrap_or_else(|error| panic!("{error}"));
    let received = harness.received().pop().unwrap_or_default();
    assert!(received.text.contains(r"C:\new\q"), "{}", received.text);
    assert!(!received.text.contains("--dec2a02a"), "{}", received.text);
}

/// No text makes a header, a command or a message of its own.
pub async fn no_text_becomes_a_header<H: SinkHarness>() {
    let harness = H::start().await;
    for sample in [failed(), failed().unknown(), Sample::engine_reload(), Sample::notice()] {
        attempt(&*harness.sink(), sample.with_text(INJECTION), 1).await.unwrap_or_else(|error| panic!("{error}"));
    }
    let received = harness.received();
    assert_eq!(received.len(), 4);
    for (name, _) in received.iter().flat_map(|received| &received.headers) {
        assert!(!name.eq_ignore_ascii_case("x-injected"), "{received:?}");
    }
}
