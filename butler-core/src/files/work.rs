//! What is done for each request, from the words of it to the disk.

use std::fs;
use std::path::{Path, PathBuf};

use super::approved::Approved;
use super::copy::{self, How, taken};
use super::error::{FileError, Refusal};
use super::folder::Kind;
use super::path::{Whole, fault, is_unc, normal};
use super::place::{Place, Spot, Way};
use super::request::{
    CopyReceipt, CopyRequest, CreateDirReceipt, CreateDirRequest, DeleteReceipt, DeleteRequest, MoveReceipt, MoveRequest,
};
use super::settings::{DirectoryPair, FileSettings};
use super::turns::Stop;
use super::{delete, moving, tree};

#[derive(Debug)]
struct Pair {
    from: Approved,
    to: Approved,
}

/// Everything that is allowed, and how it is done. Blocks.
#[derive(Debug)]
pub(super) struct Work {
    copy: Vec<Pair>,
    moves: Vec<Pair>,
    delete: Vec<Approved>,
    create: Option<Vec<Approved>>,
    qvd_folder: Option<Approved>,
    follow_links: bool,
    base: PathBuf,
}

/// Both ends of a copy or move.
struct Ends<'a> {
    from: Place,
    kind: Kind,
    to: (Way<'a>, &'a Approved, Vec<String>),
}

impl Work {
    pub(super) fn new(settings: &FileSettings, base: PathBuf) -> Self {
        let approved = |path: &PathBuf| Approved::new(path, &base);
        let pair = |DirectoryPair { from, to }: &DirectoryPair| Pair { from: approved(from), to: approved(to) };
        Self {
            copy: settings.copy.iter().map(pair).collect(),
            moves: settings.r#move.iter().map(pair).collect(),
            delete: settings.delete.iter().map(approved).collect(),
            create: settings.create.as_ref().map(|directories| directories.iter().map(approved).collect()),
            qvd_folder: settings.qvd_folder.as_ref().map(approved),
            follow_links: settings.follow_links,
            base,
        }
    }

    /// All directories in which something may be done.
    pub(super) fn approved(&self) -> impl Iterator<Item = &Approved> {
        let pairs = self.copy.iter().chain(&self.moves).flat_map(|pair| [&pair.from, &pair.to]);
        pairs.chain(&self.delete).chain(self.create.iter().flatten()).chain(&self.qvd_folder)
    }

    pub(super) fn copy(&self, request: &CopyRequest, stop: &Stop) -> Result<CopyReceipt, FileError> {
        let [from, to] = usable([("from", &request.from), ("to", &request.to)])?;
        let ends = self.ends(&self.copy, ("copy", true), &from, &to)?;
        let how = How {
            operation: "copy",
            overwrite: request.overwrite,
            with_times: request.preserve_timestamp,
            any_link: self.follow_links,
            unfinished: false,
            stop,
        };
        let source = ends.from.spot();
        match ends.kind {
            Kind::Folder => tree::look_through(source, how)?,
            Kind::File => {}
            Kind::Link | Kind::Other => return Err(source.wrong(copy::NEITHER)),
        }
        let target = ends.target(&from)?;
        let target = target.spot();
        let there = taken(target, ends.kind)?;
        distinct(source, target, there, (&from, &to))?;
        let (files, bytes) = if ends.kind == Kind::Folder {
            if settled(target).starts_with(settled(source)) {
                return Err(FileError::Within { from, to });
            }
            let copied = tree::copy(source, target, how)?;
            (copied.files, copied.bytes)
        } else {
            copy::file(source, target, how)?.map_or((0, 0), |bytes| (1, bytes))
        };
        Ok(CopyReceipt { from, to, files, bytes })
    }

    pub(super) fn move_to(&self, request: &MoveRequest, stop: &Stop) -> Result<MoveReceipt, FileError> {
        let [from, to] = usable([("from", &request.from), ("to", &request.to)])?;
        let ends = self.ends(&self.moves, ("move", false), &from, &to)?;
        let how = How { operation: "move", overwrite: request.overwrite, with_times: true, any_link: true, unfinished: true, stop };
        let source = ends.from.spot();
        self.spare_approved(source, ends.kind, "move", &from)?;
        let target = ends.target(&from)?;
        let target = target.spot();
        let (one, other) = (settled(source), settled(target));
        let there = target.kind()?;
        // Where case does not matter a name may be given another one.
        let respelt = there.is_some() && source.name != target.name && one == other;
        if !respelt {
            distinct(source, target, there, (&from, &to))?;
            if one != other && (one.starts_with(&other) || other.starts_with(&one)) {
                return Err(FileError::Within { from, to });
            }
        }
        match there {
            Some(_) if respelt => source.folder.rename_over(source.name, target.folder, target.name).map_err(source.failed("moved"))?,
            Some(_) if !request.overwrite => return Err(FileError::Exists { path: to }),
            _ => {
                if let Some(kind) = there {
                    self.spare_approved(target, kind, "move", &to)?;
                }
                moving::to(source, target, (ends.kind, there), how)?;
            }
        }
        Ok(MoveReceipt { from, to })
    }

    pub(super) fn delete(&self, request: &DeleteRequest, stop: &Stop) -> Result<DeleteReceipt, FileError> {
        let [path] = usable([("path", &request.path)])?;
        let whole = Whole::of(&path, &self.base);
        let way = Way { operation: "delete", path: &path, create: false, follow_links: self.follow_links };
        let place = first_allowed(self.delete.iter().map(|approved| Some(way.place(approved, named(&whole, approved)?))));
        let place = place.ok_or_else(|| way.refused(Refusal::NotListed))??;
        let spot = place.spot();
        let kind = spot.kind()?.ok_or_else(|| FileError::Missing { path: path.clone() })?;
        self.spare_approved(spot, kind, "delete", &path)?;
        delete::any(spot, stop)?;
        Ok(DeleteReceipt { path })
    }

    pub(super) fn create_dir(&self, request: &CreateDirRequest) -> Result<CreateDirReceipt, FileError> {
        let directory = &request.directory;
        if directory.is_empty() {
            return Err(FileError::Empty { parameter: "directory" });
        }
        if let Some(why) = fault(directory) {
            return Err(FileError::InvalidPath { path: directory.clone(), why });
        }
        match &self.create {
            None => create_anywhere(Path::new(directory))?,
            Some(directories) => {
                let [path] = usable([("directory", directory)])?;
                let whole = Whole::of(&path, &self.base);
                let way = Way { operation: "create", path: &path, create: true, follow_links: self.follow_links };
                let made = first_allowed(directories.iter().map(|approved| Some(way.folder(approved, whole.below(&approved.whole)?))));
                made.ok_or_else(|| way.refused(Refusal::NotListed))??;
            }
        }
        Ok(CreateDirReceipt { directory: directory.clone() })
    }

    pub(super) fn create_dir_qvd(&self, request: &CreateDirRequest) -> Result<CreateDirReceipt, FileError> {
        let directory = &request.directory;
        let approved = self.qvd_folder.as_ref().ok_or(FileError::NoQvdFolder)?;
        let way = Way { operation: "create", path: directory, create: true, follow_links: self.follow_links };
        let joined = normal(&format!("{}/{directory}", approved.path().display()));
        let whole = Whole::of(&joined, &self.base);
        way.folder(approved, whole.below(&approved.whole).ok_or_else(|| way.refused(Refusal::NotListed))?)?;
        Ok(CreateDirReceipt { directory: directory.clone() })
    }

    /// Both ends, by the first pair of directories that allows both. Whether the source exists is looked at last, so that nobody learns of files elsewhere.
    ///
    /// A source that is a link stands for what it leads to if `through`, else for itself; leading out it is refused either way.
    fn ends<'a>(
        &'a self,
        pairs: &'a [Pair],
        (operation, through): (&'static str, bool),
        from: &'a str,
        to: &'a str,
    ) -> Result<Ends<'a>, FileError> {
        let (source, target) = (Whole::of(from, &self.base), Whole::of(to, &self.base));
        let way = |path| Way { operation, path, create: false, follow_links: self.follow_links };
        let ends = first_allowed(pairs.iter().map(|pair| {
            let (names, to_names) = (named(&source, &pair.from)?, named(&target, &pair.to)?);
            let place = way(from).place(&pair.from, names).and_then(|place| {
                let followed = way(from).followed(&pair.from, &place)?;
                Ok(if through { followed.unwrap_or(place) } else { place })
            });
            let place = match place {
                Err(error) if error.is_refusal() => return Some(Err(error)),
                place => place,
            };
            if let Err(error @ (FileError::NotApproved { .. } | FileError::InvalidPath { .. })) = way(to).place(&pair.to, to_names) {
                return Some(Err(error));
            }
            Some(place.map(|place| (place, (Way { create: true, ..way(to) }, &pair.to, to_names.to_vec()))))
        }));
        let not_listed = || FileError::NotApproved { operation, what: format!("`{from}` to `{to}`"), why: Refusal::NotListed };
        let (from_place, to) = ends.ok_or_else(not_listed)??;
        let kind = from_place.spot().kind()?.ok_or_else(|| FileError::Missing { path: from.to_owned() })?;
        Ok(Ends { from: from_place, kind, to })
    }

    /// An approved directory is never deleted or moved away, nor what it lies in, nor a link that it is configured by.
    fn spare_approved(&self, spot: Spot<'_>, kind: Kind, operation: &'static str, path: &str) -> Result<(), FileError> {
        if !matches!(kind, Kind::Folder | Kind::Link) {
            return Ok(());
        }
        let (going, asked) = (settled(spot), Whole::of(path, &self.base));
        if self.approved().any(|approved| approved.goes_with(&going, &asked)) {
            return Err(FileError::NotApproved { operation, what: format!("`{path}`"), why: Refusal::Approved });
        }
        Ok(())
    }
}

impl Ends<'_> {
    /// The place of the destination; folders that are missing on the way are made, but for those within the source.
    fn target(&self, from: &str) -> Result<Place, FileError> {
        let (way, approved, names) = &self.to;
        let source = settled(self.from.spot());
        let within = |real: &Path| {
            let target = names.iter().fold(real.to_owned(), |path, name| path.join(name));
            target != source && target.starts_with(&source)
        };
        if self.kind == Kind::Folder && approved.real().is_ok_and(within) {
            return Err(FileError::Within { from: from.to_owned(), to: way.path.to_owned() });
        }
        way.place(approved, names)
    }
}

/// The paths in their usual form, if they are such that can be worked with. That they are there comes first.
fn usable<const N: usize>(paths: [(&'static str, &String); N]) -> Result<[String; N], FileError> {
    if let Some((parameter, _)) = paths.iter().find(|(_, path)| path.is_empty()) {
        return Err(FileError::Empty { parameter });
    }
    for (_, path) in paths {
        if cfg!(not(windows)) && is_unc(path) {
            return Err(FileError::Unc { path: path.clone() });
        }
        if let Some(why) = fault(path) {
            return Err(FileError::InvalidPath { path: path.clone(), why });
        }
    }
    Ok(paths.map(|(_, path)| normal(path)))
}

/// The names below an approved directory; `None` if there are none, for the directory does not stand for itself.
fn named<'a>(whole: &'a Whole, approved: &Approved) -> Option<&'a [String]> {
    whole.below(&approved.whole).filter(|names| !names.is_empty())
}

/// What comes of the first that does not refuse; else of the first that does. `None` if it is nobody's business.
fn first_allowed<T>(attempts: impl Iterator<Item = Option<Result<T, FileError>>>) -> Option<Result<T, FileError>> {
    let mut refused = None;
    for result in attempts.flatten() {
        match result {
            Err(error) if error.is_refusal() => refused = refused.or(Some(Err(error))),
            result => return Some(result),
        }
    }
    refused
}

fn distinct(from: Spot<'_>, to: Spot<'_>, there: Option<Kind>, (one, other): (&str, &str)) -> Result<(), FileError> {
    if there.is_some() && from.is(to)? {
        return Err(FileError::Same { from: one.to_owned(), to: other.to_owned() });
    }
    Ok(())
}

/// Where something is by the one name that it has, short names and case considered; for comparisons.
fn settled(spot: Spot<'_>) -> PathBuf {
    let path = spot.path();
    if matches!(spot.kind(), Ok(Some(Kind::File | Kind::Folder))) {
        return fs::canonicalize(&path).unwrap_or(path);
    }
    fs::canonicalize(spot.real).map_or(path, |real| real.join(spot.name))
}

/// As `mkdir -p` does.
fn create_anywhere(directory: &Path) -> Result<(), FileError> {
    /// A path of more names could overflow the stack of whoever makes them one within the other.
    const MOST_NAMES: usize = 1_000;
    if directory.components().count() > MOST_NAMES {
        return Err(FileError::InvalidPath { path: directory.display().to_string(), why: "it has too many names" });
    }
    fs::create_dir_all(directory).map_err(FileError::io("created", directory))
}
