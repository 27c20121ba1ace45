//! Import and export of the original's schedule file.

use axum::Json;
use axum::extract::{Request, State};
use axum::http::header::{CONTENT_DISPOSITION, CONTENT_TYPE};
use axum::http::{HeaderValue, StatusCode, Uri};
use axum::response::{IntoResponse, Response};
use jiff::tz::TimeZone;
use serde::Deserialize;
use utoipa::IntoParams;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::schedules;
use crate::api::ApiState;
use crate::api::admin::{Answer, query};
use crate::api::answers::Problem;
use crate::api::problem::Refusal;
use crate::schedule::time_zone;
use crate::schedule::yaml::{self, ImportReport, ReadOptions, TimeZones};

/// No form in a web page can send that.
const YAML: &str = "application/yaml";
/// The longest file: ten thousands of schedules.
const LONGEST_FILE: usize = 8 << 20;

pub(super) fn see_routes() -> OpenApiRouter<ApiState> {
    OpenApiRouter::new().routes(routes!(export))
}

pub(super) fn change_routes() -> OpenApiRouter<ApiState> {
    OpenApiRouter::new().routes(routes!(import))
}

/// Export schedules as a schedule file of Butler
///
/// The list `butlerSchedule`, as the original Butler reads it. What that can't do is said in comments at the beginning.
#[utoipa::path(
    get, path = "/api/schedules/export", tag = "Schedules",
    responses(
        (status = OK, body = String, content_type = "application/yaml", description = "The file."),
        (status = NOT_FOUND, body = Problem, description = "This Butler was put together without schedules."),
    )
)]
async fn export(State(state): State<ApiState>) -> Result<Response, Refusal> {
    let schedules = schedules(&state)?;
    let all = schedules.all();
    let exported = yaml::export(all.iter().map(|listed| &*listed.schedule), schedules.settings().months);
    let exported =
        exported.map_err(|error| Refusal::new(StatusCode::INTERNAL_SERVER_ERROR, format!("the file can't be written: {error}")))?;
    let headers = [
        (CONTENT_TYPE, HeaderValue::from_static(YAML)),
        (CONTENT_DISPOSITION, HeaderValue::from_static("attachment; filename=\"schedule.yaml\"")),
    ];
    Ok((headers, exported.yaml).into_response())
}

#[derive(Debug, Default, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(default, deny_unknown_fields)]
struct Imported {
    /// Whose clocks count: those of the zone that the `file` names, or the `local` ones of the machine that the original ran on, as they did there.
    #[param(inline)]
    time_zone: TimeZones,
    /// IANA name of the time zone of the machine that the original ran on; that of this machine if it is left out.
    #[param(inline)]
    original_zone: Option<String>,
    /// Whether schedules take the place of those that have their ids.
    replace: bool,
    /// Whether it is only told what would become of the schedules.
    dry_run: bool,
}

/// Import a schedule file of Butler
///
/// The list `butlerSchedule` of the original Butler. What becomes of each schedule is told one by one, with its line; what is there already is left alone, so that a file is imported once.
#[utoipa::path(
    post, path = "/api/schedules/import", tag = "Schedules", params(Imported),
    request_body(content = String, content_type = "application/yaml", description = "The file."),
    responses(
        (status = OK, body = ImportReport, description = "What became of each schedule."),
        (status = BAD_REQUEST, body = Problem, description = "It is no such file."),
        (status = NOT_FOUND, body = Problem, description = "This Butler was put together without schedules."),
        (status = CONFLICT, body = Problem, description = "The scheduler is switched off."),
    )
)]
async fn import(State(state): State<ApiState>, uri: Uri, request: Request) -> Answer<ImportReport> {
    let Imported { time_zone: time_zones, original_zone, replace, dry_run } = query(&uri)?;
    let host = match original_zone {
        None => TimeZone::system(),
        Some(name) => time_zone(&name).ok_or_else(|| {
            let refusal = Refusal::bad_request(format!("there is no time zone `{name}`"));
            refusal.remedy("Write an IANA name such as `Europe/Stockholm` or `UTC`.")
        })?,
    };
    let text = text(request).await?;
    let schedules = schedules(&state)?;
    let settings = schedules.settings();
    let options = ReadOptions { months: settings.months, zone: settings.zone.clone(), host, time_zones, now: state.now() };
    let found = yaml::read(&text, &options).map_err(|error| Refusal::bad_request(error.to_string()))?;
    let report = yaml::import(schedules, found, replace, dry_run).await?;
    if !dry_run {
        let ImportReport { added, replaced, refused, .. } = report;
        tracing::info!(added, replaced, refused, "A schedule file was imported on somebody's word.");
    }
    Ok(Json(report))
}

async fn text(request: Request) -> Result<String, Refusal> {
    let declared = request.headers().get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    if !declared.split(';').next().unwrap_or_default().trim().eq_ignore_ascii_case(YAML) {
        let refusal = Refusal::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, "the body has to be YAML, and be declared as such");
        return Err(refusal.remedy(format!("Send the header `Content-Type: {YAML}`.")));
    }
    let too_long = |_| Refusal::new(StatusCode::PAYLOAD_TOO_LARGE, format!("the file is longer than {LONGEST_FILE} bytes"));
    let bytes = axum::body::to_bytes(request.into_body(), LONGEST_FILE).await.map_err(too_long)?;
    String::from_utf8(bytes.to_vec()).map_err(|_| Refusal::bad_request("the file is no text in UTF-8"))
}
