//! Changes of schedules that are refused.

use axum::http::StatusCode;

use crate::api::problem::Refusal;
use crate::schedule::ScheduleError;

impl From<ScheduleError> for Refusal {
    fn from(error: ScheduleError) -> Self {
        let status = match error {
            ScheduleError::Store(error) => return error.into(),
            ScheduleError::Unknown(_) => StatusCode::NOT_FOUND,
            ScheduleError::Exists(_) | ScheduleError::Declared(_) | ScheduleError::Disabled => StatusCode::CONFLICT,
            ScheduleError::When { .. } | ScheduleError::NothingToDo(_) | ScheduleError::NoAction(_) | ScheduleError::Malformed(_) => {
                StatusCode::BAD_REQUEST
            }
            ScheduleError::BrokenOff => StatusCode::INTERNAL_SERVER_ERROR,
        };
        Self::new(status, error.to_string())
    }
}
