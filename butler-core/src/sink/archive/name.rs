//! How the file of a log is called.

use jiff::civil::DateTime;

use crate::event::TaskEvent;
use crate::sink::Rendering;

/// Folder and file, by a `/`: date and time, and ids that are known to be ids. Whatever else the network says has no part in it.
pub(super) fn of(task: &TaskEvent, rendering: &Rendering<'_>) -> String {
    let received = || rendering.event.received.to_zoned(rendering.site.time_zone.clone()).datetime();
    let time = written(&task.log_time).unwrap_or_else(received);
    let app = task.app_id.or_else(|| rendering.facts.task.known().and_then(|task| task.app_id));
    let app = app.map(|id| id.to_string()).unwrap_or_default();
    format!("{}/{}_appId={app}_taskId={}.log", time.strftime("%Y-%m-%d"), time.strftime("%Y-%m-%d_%H-%M-%S"), task.task_id)
}

/// The time of a log line, `2024-05-13 06:02:11,123`, whatever stands behind its seconds; `None` for anything else.
fn written(log_time: &str) -> Option<DateTime> {
    const FORM: &[u8] = b"dddd-dd-dd dd:dd:dd";
    let text = log_time.get(..FORM.len())?;
    let fits = text.bytes().zip(FORM).all(|(is, form)| if *form == b'd' { is.is_ascii_digit() } else { is == *form });
    if fits { DateTime::strptime("%Y-%m-%d %H:%M:%S", text).ok() } else { None }
}

#[cfg(test)]
#[cfg(feature = "testkit")]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::event::{Body, TaskOutcome};
    use crate::testkit::sink_samples::Sample;

    fn name(log_time: &str) -> String {
        let mut sample = Sample::reload(TaskOutcome::Failed);
        sample.task().log_time = log_time.to_owned();
        let Body::Task(task) = &sample.event.body else { unreachable!() };
        of(task, &sample.rendering())
    }

    const IDS: &str = "_appId=e7af59a0-c243-480d-9571-08727551a66f_taskId=dec2a02a-1680-44ef-8dc2-e2bfb180af87.log";

    #[test]
    fn names_are_made_of_the_time_and_the_ids() {
        assert_eq!(name("2022-04-06 15:36:12,441"), format!("2022-04-06/2022-04-06_15-36-12{IDS}"));
        assert_eq!(name("2022-04-06 15:36:12"), format!("2022-04-06/2022-04-06_15-36-12{IDS}"));
    }

    #[test]
    fn what_is_no_time_is_replaced_by_when_it_was_received() {
        let received = format!("2024-05-13/2024-05-13_06-02-11{IDS}");
        for bad in [
            "",
            "../../../etc/passwd",
            "2022-04-06T15:36:12",
            "2022-13-06 15:36:12",
            "2022-04-06 25:36:12",
            "2022-04-06 15:36:1/",
            "/////////////////////",
            "２０22-04-06 15:36:12",
        ] {
            assert_eq!(name(bad), received, "{bad:?}");
        }
    }

    proptest! {
        #[test]
        fn no_text_leads_out_of_the_folder(log_time in "(\\PC|[./\\\\: ]|[0-9]{4}-[0-9]{2}-[0-9]{2} ){0,30}") {
            let name = name(&log_time);
            prop_assert_eq!(name.matches('/').count(), 1);
            prop_assert!(!name.contains("..") && !name.contains('\\') && !name.contains(':'), "{}", name);
        }
    }
}
