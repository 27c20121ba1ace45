//! Files: copy, move, delete, and make directories.

use std::sync::Arc;

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use serde::Deserialize;
use serde_json::json;

use super::Routes;
use super::answer::{Fault, json, nothing};
use super::input::Sent;
use crate::api::ApiState;
use crate::files::{CopyRequest, CreateDirRequest, DeleteRequest, FileError, Files, MoveRequest};

pub(super) fn copy(routes: Routes) -> Routes {
    routes.put("/v4/filecopy", copy_file)
}

pub(super) fn move_to(routes: Routes) -> Routes {
    routes.put("/v4/filemove", move_file)
}

pub(super) fn delete(routes: Routes) -> Routes {
    routes.delete("/v4/filedelete", delete_file)
}

pub(super) fn create_dir(routes: Routes) -> Routes {
    routes.post("/v4/createdir", create_directory)
}

pub(super) fn create_dir_qvd(routes: Routes) -> Routes {
    routes.post("/v4/createdirqvd", create_qvd_directory)
}

/// What an endpoint says.
struct Words {
    /// What it does, where a path of a share is refused.
    operation: &'static str,
    refused: &'static str,
    /// What is worked with is not there.
    missing: Option<&'static str>,
    failed: &'static str,
}

const COPY: Words = Words {
    operation: "file copy",
    refused: "No approved fromDir/toDir for file copy",
    missing: Some("fromFile does not exist"),
    failed: "Failed copying file",
};

const MOVE: Words =
    Words { operation: "file move", refused: "No approved fromDir/toDir for file move", failed: "Failed moving file", ..COPY };

const DELETE: Words = Words {
    refused: "No approved directory for file delete",
    missing: Some("Delete failed, file does not exist"),
    failed: "Failed deleting file",
    // It always said that it was a copy where it refused shares.
    ..COPY
};

const CREATE: Words = Words {
    operation: "directory creation",
    refused: "No approved directory for creating directories",
    missing: None,
    failed: "Failed to create directory",
};

const CREATE_QVD: Words = Words { refused: "Directory must be within the QVD folder", ..CREATE };

const PARAMETER_MISSING: &str = "Required parameter missing";

impl Words {
    fn files<'a>(&self, state: &'a ApiState) -> Result<&'a Arc<Files>, Fault> {
        state.services().files.as_ref().ok_or_else(|| Fault::internal(self.failed, &"this Butler works with no files"))
    }

    /// What was refused or failed is in the log already, with its reason.
    fn fault(&self, error: FileError) -> Fault {
        match error {
            FileError::Empty { .. } => Fault::bad_request(PARAMETER_MISSING),
            FileError::Unc { path } => Fault::bad_request(format!(
                "UNC paths not supported for {} operations when running Butler on non-Windows OS. Path: {path}",
                self.operation
            )),
            FileError::NotApproved { .. } => Fault::new(StatusCode::FORBIDDEN, self.refused),
            FileError::InvalidPath { why, .. } => Fault::bad_request(format!("Invalid path: {why}")),
            error => match (error, self.missing) {
                (FileError::Missing { .. }, Some(missing)) => Fault::bad_request(missing),
                _ => Fault::new(StatusCode::INTERNAL_SERVER_ERROR, self.failed),
            },
        }
    }
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct Copying {
    from_file: String,
    to_file: String,
    overwrite: bool,
    preserve_timestamp: bool,
}

async fn copy_file(State(state): State<ApiState>, Sent(sent): Sent<Copying>) -> Result<Response, Fault> {
    let Copying { from_file: from, to_file: to, overwrite, preserve_timestamp } = sent;
    let request = CopyRequest { from, to, overwrite, preserve_timestamp };
    let copied = COPY.files(&state)?.copy(request).await.map_err(|error| COPY.fault(error))?;
    let body = json!({ "fromFile": copied.from, "toFile": copied.to, "overwrite": overwrite, "preserveTimestamp": preserve_timestamp });
    Ok(json(StatusCode::CREATED, &body))
}

/// Whatever else is sent does not matter, as it is in no schema.
#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct Moving {
    from_file: String,
    to_file: String,
    overwrite: bool,
}

async fn move_file(State(state): State<ApiState>, Sent(sent): Sent<Moving>) -> Result<Response, Fault> {
    let Moving { from_file: from, to_file: to, overwrite } = sent;
    let moved = MOVE.files(&state)?.move_to(MoveRequest { from, to, overwrite }).await.map_err(|error| MOVE.fault(error))?;
    Ok(json(StatusCode::CREATED, &json!({ "fromFile": moved.from, "toFile": moved.to, "overwrite": overwrite })))
}

#[derive(Debug, Deserialize)]
struct Deletion {
    #[serde(default, rename = "deleteFile")]
    path: String,
}

async fn delete_file(State(state): State<ApiState>, Sent(Deletion { path }): Sent<Deletion>) -> Result<Response, Fault> {
    DELETE.files(&state)?.delete(DeleteRequest { path }).await.map_err(|error| DELETE.fault(error))?;
    Ok(nothing())
}

#[derive(Debug, Deserialize)]
struct Creation {
    directory: Option<String>,
}

async fn create_directory(State(state): State<ApiState>, Sent(Creation { directory }): Sent<Creation>) -> Result<Response, Fault> {
    let request = CreateDirRequest { directory: directory.unwrap_or_default() };
    let created = CREATE.files(&state)?.create_dir(request).await.map_err(|error| CREATE.fault(error))?;
    Ok(json(StatusCode::CREATED, &json!({ "directory": created.directory })))
}

/// An empty name is the QVD folder itself.
async fn create_qvd_directory(State(state): State<ApiState>, Sent(Creation { directory }): Sent<Creation>) -> Result<Response, Fault> {
    let request = CreateDirRequest { directory: directory.ok_or_else(|| Fault::bad_request(PARAMETER_MISSING))? };
    let created = CREATE_QVD.files(&state)?.create_dir_qvd(request).await.map_err(|error| CREATE_QVD.fault(error))?;
    Ok(json(StatusCode::CREATED, &json!({ "directory": created.directory })))
}
