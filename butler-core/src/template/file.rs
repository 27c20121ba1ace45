//! Templates in files.

use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use super::{Escape, Template};
use crate::sink::RenderError;

/// A folder of partials: every `NAME.handlebars` in it, and `FOLDER/NAME` for one a folder below.
#[derive(Debug, Clone)]
pub struct Partials(PathBuf);

impl Partials {
    /// The partials in `folder`. A folder that does not exist has none.
    #[must_use]
    pub fn new(folder: PathBuf) -> Self {
        Self(folder)
    }

    fn read(&self) -> Result<Vec<(String, String)>, RenderError> {
        let mut found = Vec::new();
        read_folder(&self.0, "", 0, &mut found)?;
        found.sort();
        Ok(found)
    }
}

fn read_folder(folder: &Path, prefix: &str, depth: u8, found: &mut Vec<(String, String)>) -> Result<(), RenderError> {
    const DEEPEST: u8 = 5;
    let fault = |path: &Path, why: std::io::Error| RenderError(format!("can't read the partials in `{}`: {why}", path.display()));
    let entries = match std::fs::read_dir(folder) {
        Ok(entries) => entries,
        Err(why) if why.kind() == std::io::ErrorKind::NotFound => return Ok(()),
        Err(why) => return Err(fault(folder, why)),
    };
    for entry in entries {
        let path = entry.map_err(|why| fault(folder, why))?.path();
        let Some(stem) = path.file_stem().and_then(|stem| stem.to_str()) else { continue };
        if path.is_dir() && depth < DEEPEST {
            read_folder(&path, &format!("{prefix}{stem}/"), depth + 1, found)?;
        } else if path.extension().is_some_and(|extension| extension == "handlebars" || extension == "hbs") {
            found.push((format!("{prefix}{stem}"), crate::file::text(&path).map_err(|why| fault(&path, why))?));
        }
    }
    Ok(())
}

/// A template in a file, with the partials that it may include. It is read for every message, as people expect who edit it while
/// Butler runs, but compiled only when it has changed.
#[derive(Debug)]
pub struct TemplateFile {
    path: PathBuf,
    escape: Escape,
    partials: Option<Partials>,
    compiled: Mutex<Option<Compiled>>,
}

#[derive(Debug)]
struct Compiled {
    source: String,
    partials: Vec<(String, String)>,
    template: Arc<Template>,
}

impl TemplateFile {
    /// The template in the file at `path`. Nothing is read yet.
    #[must_use]
    pub fn new(path: PathBuf, escape: Escape, partials: Option<Partials>) -> Self {
        Self { path, escape, partials, compiled: Mutex::new(None) }
    }

    /// The template as it is now.
    ///
    /// # Errors
    /// A file that can't be read or compiled, named.
    pub fn load(&self) -> Result<Arc<Template>, RenderError> {
        let shown = self.path.display();
        let source = crate::file::text(&self.path).map_err(|error| {
            let why = match error.kind() {
                ErrorKind::NotFound => "there is no such file".to_owned(),
                ErrorKind::InvalidData => "it is not UTF-8 text".to_owned(),
                _ if self.path.is_dir() => "it is a folder".to_owned(),
                _ => error.to_string(),
            };
            RenderError(format!("can't read the template `{shown}`: {why}"))
        })?;
        let partials = self.partials.as_ref().map_or(Ok(Vec::new()), Partials::read)?;
        // A thread that panicked here left either the old or the new one.
        let mut compiled = self.compiled.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = compiled.as_ref().filter(|known| known.source == source && known.partials == partials) {
            return Ok(Arc::clone(&known.template));
        }
        let template = Template::compile_with(&format!("the template `{shown}`"), &source, self.escape, &partials)
            .map_err(|error| RenderError(error.to_string()))?;
        let template = Arc::new(template);
        *compiled = Some(Compiled { source, partials, template: Arc::clone(&template) });
        Ok(template)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_changed_file_is_compiled_again_and_a_broken_one_named() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("t.handlebars");
        let partials = folder.path().join("partials");
        std::fs::create_dir_all(partials.join("sub")).unwrap();
        let file = TemplateFile::new(path.clone(), Escape::Html, Some(Partials::new(partials.clone())));
        let render = || file.load().map(|t| t.render(&json!({ "x": 1 })).unwrap_or_else(|e| e.to_string())).map_err(|e| e.to_string());

        assert!(render().is_err_and(|e| e.starts_with("can't read the template `") && e.contains("t.handlebars")));
        std::fs::write(&path, "a{{x}}{{> sub/p}}").unwrap();
        std::fs::write(partials.join("sub/p.handlebars"), "<{{x}}>").unwrap();
        assert_eq!(render().as_deref(), Ok("a1<1>"));
        let before = file.load().unwrap();
        assert!(Arc::ptr_eq(&before, &file.load().unwrap()));
        std::fs::write(partials.join("sub/p.handlebars"), "({{x}})").unwrap();
        assert_eq!(render().as_deref(), Ok("a1(1)"));
        std::fs::write(&path, "b{{x}}").unwrap();
        assert_eq!(render().as_deref(), Ok("b1"));
        std::fs::write(&path, "{{#if x}}").unwrap();
        assert!(render().is_err_and(|e| e.contains("t.handlebars`, line 1")));
    }
}
