//! What is asked for, and what was done.

/// To copy a file, or a directory with everything below it.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct CopyRequest {
    /// What is copied.
    pub from: String,
    /// How the copy is called, with its directory.
    pub to: String,
    /// Whether what is there may be overwritten. Otherwise it is left as it is, which is no error.
    pub overwrite: bool,
    /// Whether the copy has the times of the original.
    pub preserve_timestamp: bool,
}

/// What was copied.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct CopyReceipt {
    /// The source, in the usual form.
    pub from: String,
    /// The destination, in the usual form.
    pub to: String,
    /// How many files were written; those that were there and had to stay do not count.
    pub files: u64,
    /// How many bytes these have.
    pub bytes: u64,
}

/// To move a file, or a directory with everything below it.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct MoveRequest {
    /// What is moved.
    pub from: String,
    /// How it is called then, with its directory.
    pub to: String,
    /// Whether what is there may be overwritten. Otherwise it is an error.
    pub overwrite: bool,
}

/// What was moved.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct MoveReceipt {
    /// The source, in the usual form.
    pub from: String,
    /// The destination, in the usual form.
    pub to: String,
}

/// To delete a file, a symbolic link (never what it leads to), or a directory with everything below it.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct DeleteRequest {
    /// What is deleted.
    pub path: String,
}

/// What was deleted.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct DeleteReceipt {
    /// It, in the usual form.
    pub path: String,
}

/// To create a directory, with those that it lies in.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct CreateDirRequest {
    /// The directory.
    pub directory: String,
}

/// What was created, or was there.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct CreateDirReceipt {
    /// The directory, as it was asked for.
    pub directory: String,
}
