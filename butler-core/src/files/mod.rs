//! Files for load scripts: copy, move, delete, and make directories, below approved directories and nowhere else.
//!
//! ```no_run
//! use butler_core::files::{CopyRequest, DirectoryPair, FileSettings, Files};
//!
//! # async fn run() -> Result<(), Box<dyn std::error::Error>> {
//! let between = DirectoryPair { from: "/data/incoming".into(), to: "/data/qvd".into() };
//! let files = Files::new(FileSettings { copy: vec![between], ..FileSettings::default() })?;
//! let request = CopyRequest { from: "/data/incoming/sales.qvd".into(), to: "/data/qvd/sales.qvd".into(), ..CopyRequest::default() };
//! let receipt = files.copy(request).await?;
//! println!("{} bytes", receipt.bytes);
//! # Ok(())
//! # }
//! ```
//!
//! # What is approved
//!
//! * A path is first taken as text: written in one way, made absolute, compared name by name with the approved directories. An approved directory stands for
//!   everything below it. This comes before any look at the disk, so that nobody learns what exists elsewhere.
//! * On the disk, the approved directory is opened, and everything else by single names below it, none of which is a link. A link that stays within the
//!   approved directory is followed by starting there again; one that leads out is refused, unless [`FileSettings::follow_links`]. So neither
//!   links nor `..` nor somebody who exchanges a directory for a link at the right moment lead anywhere else.
//! * A name that means something else than itself (a device, a stream of another file, a name with a dot at its end, as Windows has them) is refused.
//! * An approved directory itself is never deleted or moved away, nor one that holds it, nor a link by which it is configured.
//!
//! # What a crash leaves
//!
//! A file is written under a name of its own beside its place (`.butler-part-...`), and gets its name when it is whole and on the disk. So there is never half a file
//! under the name of a whole one; what a crash leaves under these other names may be deleted. A directory is not copied all at once: a copy that ended early has some of the
//! files, each of them whole.
//!
//! A move within a file system is one step. To another one it is a copy, which appears when it is whole; then the source gets another name beside its own
//! (`.butler-kept-...`), with which the move is done, and is deleted as far as it is what was copied. A directory that is overwritten, or a file by a directory, has such a name until
//! something else is in its place. So what a crash leaves under such a name may be deleted if the destination of the move is there, and may be given its name again if not.
//!
//! # Cancellation
//!
//! Disks make threads wait, so the work is done on tokio's threads for that, [`FileSettings::at_once`] operations at the most. Dropping the future of an operation
//! that waits for its turn means that it never begins; one that has begun goes on to its end. [`Files::close`], or dropping the [`Files`], ends what is under way
//! at the next piece of 8 MiB, the next file or the next name.

mod approved;
mod aside;
mod copy;
mod delete;
mod error;
mod folder;
mod moving;
mod own_name;
mod part;
pub(crate) mod path;
mod place;
mod request;
mod settings;
mod snapshot;
#[cfg(test)]
pub(crate) mod testing;
#[cfg(test)]
mod tests;
mod tree;
mod turns;
mod work;

use std::fmt;
use std::io;
use std::sync::Arc;

pub use error::{FileError, Refusal};
pub use request::{CopyReceipt, CopyRequest, CreateDirReceipt, CreateDirRequest, DeleteReceipt, DeleteRequest, MoveReceipt, MoveRequest};
pub use settings::{DirectoryPair, FileSettings};

use turns::{Stop, Turns};
use work::Work;

/// Does what is asked for with files, where it is approved. What was changed and what was refused is logged, with the paths.
#[derive(Debug)]
pub struct Files {
    work: Arc<Work>,
    turns: Turns,
}

impl Files {
    /// Takes what is approved. Nothing is looked at yet: a directory counts from when it is first used, or from [`find`](Self::find).
    ///
    /// # Errors
    /// The working directory, at which relative paths start, is not known.
    pub fn new(settings: FileSettings) -> io::Result<Self> {
        let base = std::env::current_dir()?;
        Ok(Self { turns: Turns::new(settings.at_once), work: Arc::new(Work::new(&settings, base)) })
    }

    /// Looks where the approved directories are, so that it is known before anybody could put a link in their place. One that is not there yet is logged as a warning and looked for again
    /// when it is needed; if something is to be put there it is made.
    pub async fn find(&self) {
        let work = Arc::clone(&self.work);
        let found = self.turns.run(move |stop| {
            for approved in work.approved() {
                stop.check()?;
                if let Err(error) = approved.real() {
                    tracing::warn!(directory = %approved.path().display(), %error, "An approved directory of [files] is not there; it is looked for again when it is used.");
                }
            }
            Ok(())
        });
        // It may only have been stopped.
        let _ = found.await;
    }

    /// Copies a file, or a directory with everything below it.
    ///
    /// Directories on the way to the destination are made. The copy has the rights of the source, but for those to run as its owner, and its times if asked for. A source that is a
    /// symbolic link stands for what it leads to; links within a directory are copied as links if they lead to something within it.
    ///
    /// # Errors
    /// [`FileError`]. Of a directory, what was copied until then stays.
    ///
    /// # Cancellation
    /// As [the module](self) says.
    pub async fn copy(&self, request: CopyRequest) -> Result<CopyReceipt, FileError> {
        let what = format!("copy `{}` to `{}`", request.from, request.to);
        self.run(what, move |work, stop| work.copy(&request, stop)).await
    }

    /// Moves a file, a directory with everything below it, or a symbolic link. Directories on the way to the destination are made.
    ///
    /// # Errors
    /// [`FileError`]; the source is still there then, as a whole. So is a copy of it if that went to another file system, and the source could not be taken from its
    /// place or had changed.
    ///
    /// # Cancellation
    /// As [the module](self) says.
    pub async fn move_to(&self, request: MoveRequest) -> Result<MoveReceipt, FileError> {
        let what = format!("move `{}` to `{}`", request.from, request.to);
        self.run(what, move |work, stop| work.move_to(&request, stop)).await
    }

    /// Deletes a file, a symbolic link, or a directory with everything below it.
    ///
    /// # Errors
    /// [`FileError`]. Of a directory, what was deleted until then is gone.
    ///
    /// # Cancellation
    /// As [the module](self) says.
    pub async fn delete(&self, request: DeleteRequest) -> Result<DeleteReceipt, FileError> {
        let what = format!("delete `{}`", request.path);
        self.run(what, move |work, stop| work.delete(&request, stop)).await
    }

    /// Creates a directory, with those that it lies in, where [`FileSettings::create`] allows it. One that is there already is fine.
    ///
    /// # Errors
    /// [`FileError`].
    ///
    /// # Cancellation
    /// As [the module](self) says.
    pub async fn create_dir(&self, request: CreateDirRequest) -> Result<CreateDirReceipt, FileError> {
        let what = format!("create the directory `{}`", request.directory);
        self.run(what, move |work, _| work.create_dir(&request)).await
    }

    /// Creates a directory below the QVD folder, with those that it lies in; the folder itself for an empty path. A separator at its beginning means nothing.
    ///
    /// # Errors
    /// [`FileError`].
    ///
    /// # Cancellation
    /// As [the module](self) says.
    pub async fn create_dir_qvd(&self, request: CreateDirRequest) -> Result<CreateDirReceipt, FileError> {
        let what = format!("create the directory `{}` in the QVD folder", request.directory);
        self.run(what, move |work, _| work.create_dir_qvd(&request)).await
    }

    /// Ends what is under way, without waiting for it. It, and everything after it, is [`FileError::Stopped`].
    pub fn stop(&self) {
        self.turns.stop();
    }

    /// Ends what is under way, and waits for it. Everything after it is [`FileError::Stopped`].
    pub async fn close(&self) {
        self.turns.close().await;
    }

    /// Does it, and says so in the log: there as well if nobody waits for it any more.
    async fn run<T: fmt::Debug + Send + 'static>(
        &self,
        what: String,
        work: impl FnOnce(&Work, &Stop) -> Result<T, FileError> + Send + 'static,
    ) -> Result<T, FileError> {
        let all = Arc::clone(&self.work);
        let what = one_line(&what);
        let job = move |stop: &Stop| {
            let result = work(&all, stop);
            match &result {
                Ok(_) => tracing::info!("Files: {what}: done."),
                Err(error) => {
                    let outcome = if error.is_refusal() { "refused" } else { "failed" };
                    tracing::warn!(error = one_line(&error.to_string()), "Files: {what}: {outcome}.");
                }
            }
            result
        };
        self.turns.run(job).await
    }
}

/// Names of files may hold line breaks, with which they would pretend to be further lines of the log.
fn one_line(text: &str) -> String {
    const LONGEST: usize = 2_000;
    text.chars().take(LONGEST).map(|c| if c.is_control() { ' ' } else { c }).collect()
}
