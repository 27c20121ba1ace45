//! Each line of what the file endpoints are asked and answer.

use std::ops::Deref;
use std::sync::Arc;

use serde_json::{Value, json};

use super::testing::{Reply, Served};
use crate::api::ApiServices;
use crate::config::EndpointsConfig;
use crate::files::testing::Yard;
use crate::files::{DirectoryPair, FileSettings};

/// An API in front of files.
struct Site {
    yard: Yard,
    served: Served,
}

impl Deref for Site {
    type Target = Yard;

    fn deref(&self) -> &Yard {
        &self.yard
    }
}

impl Site {
    async fn new() -> Self {
        Self::with(|_| {}).await
    }

    async fn with(change: impl FnOnce(&mut FileSettings)) -> Self {
        let yard = Yard::with(change);
        let endpoints = EndpointsConfig { create_dir: true, ..EndpointsConfig::default() };
        let files = Some(Arc::clone(&yard.files));
        let served = Served::with(ApiServices { files, endpoints, ..ApiServices::default() }).await;
        Self { yard, served }
    }

    /// Text in which `TOP` is where the directories are.
    fn text(&self, text: &str) -> String {
        text.replace("TOP", self.yard.text("").trim_end_matches('/'))
    }

    async fn json(&self, line: &str, body: &str) -> Reply {
        self.served.json(line, &self.text(body)).await
    }

    fn value(&self, text: &str) -> Value {
        serde_json::from_str(&self.text(text)).unwrap()
    }
}

const COPY: &str = "PUT /v4/filecopy";
const MOVE: &str = "PUT /v4/filemove";
const DELETE: &str = "DELETE /v4/filedelete";
const CREATE: &str = "POST /v4/createdir";
const CREATE_QVD: &str = "POST /v4/createdirqvd";

#[tokio::test]
async fn files_are_copied() {
    let site = Site::new().await;
    site.write("from/a.txt", "a");
    // Paths come back in their usual form, and what is not said has its default.
    let done = site.json(COPY, r#"{ "fromFile": "TOP//from/./a.txt", "toFile": "TOP/to\\x\\..\\y/a.txt" }"#).await;
    done.is_json(
        201,
        &site.value(r#"{ "fromFile": "TOP/from/a.txt", "toFile": "TOP/to/y/a.txt", "overwrite": false, "preserveTimestamp": false }"#),
    );
    assert!(done.body.starts_with(r#"{"fromFile":"#), "{}", done.body);
    assert_eq!(site.read("to/y/a.txt"), "a");
    // What is there stays, which is no fault.
    site.write("from/a.txt", "b");
    let again = r#"{ "fromFile": "TOP/from/a.txt", "toFile": "TOP/to/y/a.txt", "overwrite": "false", "other": 1 }"#;
    site.json(COPY, again).await.is_json(
        201,
        &site.value(r#"{ "fromFile": "TOP/from/a.txt", "toFile": "TOP/to/y/a.txt", "overwrite": false, "preserveTimestamp": false }"#),
    );
    assert_eq!(site.read("to/y/a.txt"), "a");
    // As load scripts send it.
    let over = r#"{ "fromFile": "TOP/from/a.txt", "toFile": "TOP/to/y/a.txt", "overwrite": "true", "preserveTimestamp": "true" }"#;
    let helper =
        site.served.send("POST /v4/filecopy", "content-type: application/json\nX-HTTP-Method-Override: PUT", &site.text(over)).await;
    helper.is_json(
        201,
        &site.value(r#"{ "fromFile": "TOP/from/a.txt", "toFile": "TOP/to/y/a.txt", "overwrite": true, "preserveTimestamp": true }"#),
    );
    assert_eq!(site.read("to/y/a.txt"), "b");
    let modified = |path: &str| std::fs::metadata(site.at(path)).unwrap().modified().unwrap();
    assert_eq!(modified("to/y/a.txt"), modified("from/a.txt"));
}

#[tokio::test]
async fn copies_that_are_refused_or_fail() {
    let site = Site::new().await;
    site.write("from/a", "a");
    site.write("outside/a", "a");
    site.write("to/file", "x");
    for (body, status, message) in [
        ("{}", 400, "Required parameter missing"),
        (r#"{ "fromFile": "TOP/from/a" }"#, 400, "Required parameter missing"),
        (r#"{ "toFile": "TOP/to/a" }"#, 400, "Required parameter missing"),
        (r#"{ "fromFile": "", "toFile": "TOP/to/a" }"#, 400, "Required parameter missing"),
        (r#"{ "fromFile": "//srv/share/a", "toFile": null }"#, 400, "Required parameter missing"),
        (r#"{ "fromFile": "TOP/from/none", "toFile": "TOP/to/a" }"#, 400, "fromFile does not exist"),
        (r#"{ "fromFile": "TOP/outside/none", "toFile": "TOP/to/a" }"#, 403, "No approved fromDir/toDir for file copy"),
        (r#"{ "fromFile": "TOP/outside/a", "toFile": "TOP/to/a" }"#, 403, "No approved fromDir/toDir for file copy"),
        (r#"{ "fromFile": "TOP/from/a", "toFile": "TOP/outside/b" }"#, 403, "No approved fromDir/toDir for file copy"),
        (r#"{ "fromFile": "TOP/from/../outside/a", "toFile": "TOP/to/a" }"#, 403, "No approved fromDir/toDir for file copy"),
        (r#"{ "fromFile": "TOP/from", "toFile": "TOP/to/a" }"#, 403, "No approved fromDir/toDir for file copy"),
        (r#"{ "fromFile": "from/a", "toFile": "to/a" }"#, 403, "No approved fromDir/toDir for file copy"),
        (r#"{ "fromFile": "TOP/from/a%23b", "toFile": "TOP/to/a" }"#, 400, "fromFile does not exist"),
        (r#"{ "fromFile": "TOP/from/a\u0000", "toFile": "TOP/to/a" }"#, 400, "Invalid path: it holds a NUL"),
        (r#"{ "fromFile": "TOP/from/a", "toFile": "TOP/to/file/a" }"#, 500, "Failed copying file"),
    ] {
        site.json(COPY, body).await.is_fault(status, message);
    }
    for (body, message) in [
        ("null", "body must be object"),
        ("[]", "body must be object"),
        (r#"{ "fromFile": {}, "toFile": "a" }"#, "body/fromFile must be string"),
        (r#"{ "overwrite": "yes" }"#, "body/overwrite must be boolean"),
        (r#"{ "preserveTimestamp": "" }"#, "body/preserveTimestamp must be boolean"),
    ] {
        site.json(COPY, body).await.is_invalid(message);
    }
    site.served.ask(COPY).await.is_invalid("body must be object");
    assert_eq!(std::fs::read_dir(site.at("to")).unwrap().count(), 1);
}

#[tokio::test]
async fn a_copy_onto_itself_fails() {
    let site = Site::with(|settings| settings.copy[0].to = settings.copy[0].from.clone()).await;
    site.write("from/a", "precious");
    let same = r#"{ "fromFile": "TOP/from/a", "toFile": "TOP/from/./a", "overwrite": true }"#;
    site.json(COPY, same).await.is_fault(500, "Failed copying file");
    std::fs::create_dir(site.at("from/d")).unwrap();
    site.json(COPY, r#"{ "fromFile": "TOP/from/d", "toFile": "TOP/from/d/e" }"#).await.is_fault(500, "Failed copying file");
    assert_eq!(site.read("from/a"), "precious");
}

#[cfg(not(windows))]
#[tokio::test]
async fn shares_of_windows_are_refused_elsewhere() {
    let site = Site::with(|settings| {
        let all = DirectoryPair { from: "/".into(), to: "/".into() };
        (settings.copy, settings.r#move, settings.delete) = (vec![all.clone()], vec![all], vec!["/".into()]);
    })
    .await;
    site.write("from/a", "a");
    let words = |what: &str, path: &str| {
        format!("UNC paths not supported for {what} operations when running Butler on non-Windows OS. Path: {}", site.text(path))
    };
    for (line, what) in [(COPY, "file copy"), (MOVE, "file move")] {
        let from = site.json(line, r#"{ "fromFile": "/TOP/from/a", "toFile": "TOP/to/a" }"#).await;
        from.is_fault(400, &words(what, "/TOP/from/a"));
        let to = site.json(line, r#"{ "fromFile": "TOP/from/a", "toFile": "\\\\srv\\share\\a" }"#).await;
        to.is_fault(400, &words(what, r"\\srv\share\a"));
        site.json(line, r#"{ "fromFile": "///a//b", "toFile": "x" }"#).await.is_fault(400, &words(what, "///a//b"));
    }
    site.json(DELETE, r#"{ "deleteFile": "/TOP/from/a" }"#).await.is_fault(400, &words("file copy", "/TOP/from/a"));
    assert_eq!(site.read("from/a"), "a");
    assert!(!site.at("to/a").exists());
}

#[tokio::test]
async fn files_are_moved() {
    let site = Site::new().await;
    site.write("from/a", "a");
    site.write("from/b", "b");
    let done = site.json(MOVE, r#"{ "fromFile": "TOP/from//a", "toFile": "TOP/to/x/a" }"#).await;
    done.is_json(201, &site.value(r#"{ "fromFile": "TOP/from/a", "toFile": "TOP/to/x/a", "overwrite": false }"#));
    assert_eq!(site.read("to/x/a"), "a");
    assert!(!site.at("from/a").exists());
    for (body, status, message) in [
        ("{}", 400, "Required parameter missing"),
        (r#"{ "fromFile": "TOP/from/b", "toFile": "" }"#, 400, "Required parameter missing"),
        (r#"{ "fromFile": "TOP/from/none", "toFile": "TOP/to/a" }"#, 400, "fromFile does not exist"),
        (r#"{ "fromFile": "TOP/to/x/a", "toFile": "TOP/from/a" }"#, 403, "No approved fromDir/toDir for file move"),
        (r#"{ "fromFile": "TOP/none", "toFile": "TOP/to/a" }"#, 403, "No approved fromDir/toDir for file move"),
        (r#"{ "fromFile": "TOP/from/b", "toFile": "TOP/to/x/a" }"#, 500, "Failed moving file"),
        (r#"{ "fromFile": "TOP/from/b", "toFile": "TOP/to/x/a/b" }"#, 500, "Failed moving file"),
    ] {
        site.json(MOVE, body).await.is_fault(status, message);
    }
    // What copies know means nothing here, whatever it is.
    let other = r#"{ "fromFile": "TOP/from/none", "toFile": "TOP/to/a", "preserveTimestamp": "true" }"#;
    site.json(MOVE, other).await.is_fault(400, "fromFile does not exist");
    site.json(MOVE, r#"{ "toFile": {} }"#).await.is_invalid("body/toFile must be string");
    let over = site.json(MOVE, r#"{ "fromFile": "TOP/from/b", "toFile": "TOP/to/x/a", "overwrite": 1 }"#).await;
    over.is_json(201, &site.value(r#"{ "fromFile": "TOP/from/b", "toFile": "TOP/to/x/a", "overwrite": true }"#));
    assert_eq!(site.read("to/x/a"), "b");
}

#[tokio::test]
async fn files_are_deleted() {
    let site = Site::new().await;
    site.write("gone/a", "a");
    site.write("outside/a", "a");
    std::fs::create_dir_all(site.at("gone/d/e")).unwrap();
    site.write("gone/d/e/f", "f");
    for path in ["TOP/gone/a", "TOP/gone//d/."] {
        let done = site.json(DELETE, &json!({ "deleteFile": path }).to_string()).await;
        assert_eq!((done.status, done.body.as_str(), done.header("content-type"), done.header("content-length")), (204, "", "", ""));
    }
    assert_eq!(std::fs::read_dir(site.at("gone")).unwrap().count(), 0);
    for (body, status, message) in [
        ("{}", 400, "Required parameter missing"),
        (r#"{ "deleteFile": "" }"#, 400, "Required parameter missing"),
        (r#"{ "deleteFile": "TOP/gone/a" }"#, 400, "Delete failed, file does not exist"),
        (r#"{ "deleteFile": "TOP/outside/a" }"#, 403, "No approved directory for file delete"),
        (r#"{ "deleteFile": "TOP/outside/none" }"#, 403, "No approved directory for file delete"),
        (r#"{ "deleteFile": "TOP/gone" }"#, 403, "No approved directory for file delete"),
        (r#"{ "deleteFile": "TOP/gone/../outside/a" }"#, 403, "No approved directory for file delete"),
    ] {
        site.json(DELETE, body).await.is_fault(status, message);
    }
    site.served.ask(DELETE).await.is_invalid("body must be object");
    site.json(DELETE, r#"{ "deleteFile": [1, 2] }"#).await.is_invalid("body/deleteFile must be string");
    site.json(DELETE, "").await.is_coded(
        400,
        "FST_ERR_CTP_EMPTY_JSON_BODY",
        "Body cannot be empty when content-type is set to 'application/json'",
    );
    // Some helpers of load scripts declare nothing.
    site.write("gone/a", "a");
    let body = site.text(r#"{ "deleteFile": "TOP/gone/a" }"#);
    assert_eq!(site.served.send("POST /v4/filedelete", "X-HTTP-Method-Override: DELETE", &body).await.status, 204);
    assert_eq!(site.read("outside/a"), "a");
}

/// In the same words as what is not approved.
#[cfg(unix)]
#[tokio::test]
async fn links_that_lead_out_are_refused() {
    use std::os::unix::fs::symlink;
    let site = Site::new().await;
    symlink(site.at("outside"), site.at("gone/out")).unwrap();
    symlink(site.at("outside"), site.at("from/out")).unwrap();
    symlink(site.at("outside"), site.at("to/out")).unwrap();
    symlink(site.at("outside"), site.at("qvd/out")).unwrap();
    site.write("outside/a", "a");
    site.write("from/a", "a");
    for (line, body, message) in [
        (DELETE, r#"{ "deleteFile": "TOP/gone/out/a" }"#, "No approved directory for file delete"),
        (COPY, r#"{ "fromFile": "TOP/from/out/a", "toFile": "TOP/to/a" }"#, "No approved fromDir/toDir for file copy"),
        (COPY, r#"{ "fromFile": "TOP/from/a", "toFile": "TOP/to/out/b" }"#, "No approved fromDir/toDir for file copy"),
        (MOVE, r#"{ "fromFile": "TOP/from/out/a", "toFile": "TOP/to/a" }"#, "No approved fromDir/toDir for file move"),
        (CREATE_QVD, r#"{ "directory": "out/x" }"#, "Directory must be within the QVD folder"),
    ] {
        site.json(line, body).await.is_fault(403, message);
    }
    // A link itself goes.
    assert_eq!(site.json(DELETE, r#"{ "deleteFile": "TOP/gone/out" }"#).await.status, 204);
    assert_eq!(site.read("outside/a"), "a");
}

#[cfg(unix)]
#[tokio::test]
async fn what_the_system_does_not_let_be_done_is_a_fault() {
    let site = Site::with(|settings| settings.follow_links = true).await;
    site.write("from/a", "a");
    let long = format!(r#"{{ "deleteFile": "TOP/gone/{}" }}"#, "x".repeat(300));
    site.json(DELETE, &long).await.is_fault(500, "Failed deleting file");
    // What is not there is the destination, and that is not said of the source.
    std::os::unix::fs::symlink(site.at("outside/none"), site.at("to/nowhere")).unwrap();
    let body = r#"{ "fromFile": "TOP/from/a", "toFile": "TOP/to/nowhere/a" }"#;
    site.json(COPY, body).await.is_fault(500, "Failed copying file");
    site.json(MOVE, body).await.is_fault(500, "Failed moving file");
}

#[tokio::test]
async fn directories_are_made() {
    let site = Site::new().await;
    // As it was sent, and again.
    for _ in 0..2 {
        let done = site.json(CREATE, r#"{ "directory": "TOP/outside//new/dir", "other": 1 }"#).await;
        done.is_json(201, &site.value(r#"{ "directory": "TOP/outside//new/dir" }"#));
    }
    assert!(site.at("outside/new/dir").is_dir());
    site.write("outside/file", "x");
    for (body, status, message) in [
        ("{}", 400, "Required parameter missing"),
        (r#"{ "directory": "" }"#, 400, "Required parameter missing"),
        (r#"{ "directory": "TOP/outside/file/x" }"#, 500, "Failed to create directory"),
        (r#"{ "directory": "TOP/outside/file" }"#, 500, "Failed to create directory"),
    ] {
        site.json(CREATE, body).await.is_fault(status, message);
    }
    site.json(CREATE, r#"{ "directory": {} }"#).await.is_invalid("body/directory must be string");
    let put = json!({ "message": "Route PUT:/v4/createdir not found", "error": "Not Found", "statusCode": 404 });
    site.json("PUT /v4/createdir", r#"{ "directory": "x" }"#).await.is_json(404, &put);

    let limited = Site::with(|settings| settings.create = Some(vec![settings.copy[0].to.clone()])).await;
    let done = limited.json(CREATE, r#"{ "directory": "TOP/to/a" }"#).await;
    done.is_json(201, &limited.value(r#"{ "directory": "TOP/to/a" }"#));
    limited.json(CREATE, r#"{ "directory": "TOP/from/a" }"#).await.is_fault(403, "No approved directory for creating directories");
}

#[tokio::test]
async fn directories_of_the_qvd_folder_are_made() {
    let site = Site::new().await;
    for (sent, made) in [("a/b", "a/b"), (r"c\d", "c/d"), ("/abs/dir", "abs/dir"), ("", ""), (".", ""), ("a/../e", "e")] {
        let body = json!({ "directory": sent });
        site.json(CREATE_QVD, &body.to_string()).await.is_json(201, &body);
        assert!(site.at("qvd").join(made).is_dir(), "{sent}");
    }
    for outside in ["../x", r"..\..\x", "../qvd2"] {
        let reply = site.json(CREATE_QVD, &json!({ "directory": outside }).to_string()).await;
        reply.is_fault(403, "Directory must be within the QVD folder");
    }
    site.write("qvd/file", "x");
    site.json(CREATE_QVD, "{}").await.is_fault(400, "Required parameter missing");
    site.json(CREATE_QVD, r#"{ "directory": "file/x" }"#).await.is_fault(500, "Failed to create directory");
    let none = Site::with(|settings| settings.qvd_folder = None).await;
    none.json(CREATE_QVD, r#"{ "directory": "a" }"#).await.is_fault(500, "Failed to create directory");
}

#[tokio::test]
async fn each_can_be_switched_off_and_anywhere_is_off_by_itself() {
    let served = Served::with(ApiServices::default()).await;
    let gone = json!({ "message": "Route POST:/v4/createdir not found", "error": "Not Found", "statusCode": 404 });
    served.json(CREATE, r#"{ "directory": "x" }"#).await.is_json(404, &gone);
    // Without files there is nothing to work with.
    served.json(COPY, r#"{ "fromFile": "a", "toFile": "b" }"#).await.is_fault(500, "Failed copying file");
    let endpoints =
        EndpointsConfig { file_copy: false, file_move: false, file_delete: false, create_dir_qvd: false, ..EndpointsConfig::default() };
    let served = Served::with(ApiServices { endpoints, ..ApiServices::default() }).await;
    for line in [COPY, MOVE, DELETE, CREATE, CREATE_QVD] {
        assert_eq!(served.json(line, "{}").await.status, 404, "{line}");
    }
}
