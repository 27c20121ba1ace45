//! The templates of a sink: its built-in ones, and files in their place.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

#[cfg(any(feature = "sink-slack", feature = "sink-teams"))]
use serde_json::{Map, Value};

use super::kinds::ByKind;
use super::{BuildError, RenderError, SinkContext};
use crate::event::{Kind, LogLines, Needs};
use crate::template::{Escape, Partials, Template, TemplateFile, fields};

/// The fields by which a template shows what would else be added to its message.
const NOTES: [&str; 3] = ["notes", "missing", "heldBack"];

/// Where the templates of a sink are.
#[derive(Debug)]
pub(super) struct Sources<'a> {
    /// The built-in template of messages about tasks that ended.
    pub(super) task: &'static str,
    /// That of all others.
    pub(super) other: &'static str,
    /// The file in place of the former.
    pub(super) task_file: Option<&'a PathBuf>,
    /// Files by kind of event.
    pub(super) files: &'a BTreeMap<String, PathBuf>,
    /// What the files may include.
    pub(super) partials: Option<Partials>,
}

/// The templates of a sink.
#[derive(Debug)]
pub(super) struct Templates {
    task: Arc<Template>,
    other: Arc<Template>,
    task_file: Option<TemplateFile>,
    files: ByKind<TemplateFile>,
}

impl Templates {
    /// Loads each once, so that a file that can't be used is found when the program starts and not with the first message. Afterwards files are read for every
    /// message: what breaks later costs the message its looks and nothing else.
    pub(super) fn load(sources: Sources<'_>, escape: Escape, context: &SinkContext) -> Result<Self, BuildError> {
        let Sources { task, other, task_file, files, partials } = sources;
        let file = |path: &PathBuf| TemplateFile::new(context.path(path), escape, partials.clone());
        let built_in = |source| compile("the built-in template", source, escape, "template_file");
        let (task_file, files) = (task_file.map(file), ByKind::new(files, file));
        let of_tasks = task_file.iter().map(|file| ("template_file", file));
        let of_kinds = files.values().map(|file| ("template_files", file));
        let faults = of_tasks.chain(of_kinds).filter_map(|(key, file)| {
            let fault = file.load().err()?;
            Some(BuildError::Invalid { key, why: format!("{fault}. Mend it, or leave it out for the built-in template") })
        });
        let faults: Vec<_> = faults.collect();
        if !faults.is_empty() {
            return Err(BuildError::Several(faults));
        }
        Ok(Self { task: built_in(task)?, other: built_in(other)?, task_file, files })
    }

    /// The template for events of this kind.
    pub(super) fn find(&self, kind: &Kind) -> Result<Arc<Template>, RenderError> {
        let is_task = kind.outcome().is_some();
        match (self.files.find(kind), &self.task_file) {
            (Some(file), _) => file.load(),
            (None, Some(file)) if is_task => file.load(),
            (None, _) if is_task => Ok(Arc::clone(&self.task)),
            (None, _) => Ok(Arc::clone(&self.other)),
        }
    }

    /// What all of them together show.
    pub(super) fn needs(&self, script_log: LogLines) -> Needs {
        let files = self.files.values().chain(&self.task_file).filter_map(|file| file.load().ok());
        let task = self.task_file.is_none().then(|| Arc::clone(&self.task));
        let all = files.chain(task).chain([Arc::clone(&self.other)]);
        all.fold(Needs::NONE, |needs, template| needs.union(needs_of(&template, script_log)))
    }
}

/// A template that stands in the options, at `key`.
pub(super) fn compile(name: &str, source: &str, escape: Escape, key: &'static str) -> Result<Arc<Template>, BuildError> {
    Template::compile(name, source, escape).map(Arc::new).map_err(|fault| BuildError::Invalid { key, why: fault.to_string() })
}

/// What a template shows.
pub(super) fn needs_of(template: &Template, script_log: LogLines) -> Needs {
    fields::needs(|field| template.mentions(field), script_log)
}

/// Whether a template shows by itself what is missing and what was held back.
pub(super) fn shows_notes(template: &Template) -> bool {
    NOTES.iter().any(|field| template.mentions(field))
}

/// The JSON object that a template makes. `remote` is for whom, in a fault.
#[cfg(any(feature = "sink-slack", feature = "sink-teams"))]
pub(super) fn json_object(template: &Template, values: &Value, remote: &str) -> Result<Map<String, Value>, RenderError> {
    let text = template.render(values).map_err(|fault| RenderError(fault.to_string()))?;
    let fault = |why: String| RenderError(format!("{} makes no message for {remote}: {why}", template.name()));
    match serde_json::from_str(&text) {
        Ok(Value::Object(made)) => Ok(made),
        Ok(_) => Err(fault("its output is no JSON object".to_owned())),
        Err(why) => Err(fault(format!("its output is no valid JSON: {why}"))),
    }
}
