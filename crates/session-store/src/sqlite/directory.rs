//! The files of a store: who may access them, the lock that one process holds, and the record in the lock file.

use std::fs::{DirBuilder, File, Metadata, TryLockError};
use std::io;
use std::os::unix::fs::{DirBuilderExt, FileExt, MetadataExt};
use std::path::{Path, PathBuf};

use rustix::fs::{Mode, OFlags};
use rustix::process::geteuid;

use super::error::OpenError;

/// The name of the lock file, in the folder of the database file.
const LOCK_FILE: &str = "sessiond.lock";

/// The first word of a record, which marks its format.
const RECORD_MARK: &str = "sessiond-1";

/// The length of a record in bytes: the mark, the store's ID in hexadecimal, the number of commits and a line feed. It
/// never changes, so that one write replaces a record as a whole.
const RECORD_BYTES: usize = RECORD_MARK.len() + 1 + 32 + 1 + 20 + 1;

/// The permissions of other users than the owner.
const OTHERS: u32 = 0o077;

/// Random bytes that identify a store and its copies.
pub(super) type StoreId = [u8; 16];

/// What the lock file says about the database: which one it is, and how many commits it has had.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Record {
    pub(super) store_id: StoreId,
    pub(super) commits: u64,
}

impl Record {
    fn to_text(self) -> String {
        format!("{RECORD_MARK} {:032x} {:020}\n", u128::from_be_bytes(self.store_id), self.commits)
    }

    /// Returns the record that this is the text of.
    fn parse(text: &[u8]) -> Option<Self> {
        let text = std::str::from_utf8(text).ok()?;
        let mut words = text.strip_suffix('\n')?.split(' ');
        let (mark, id, commits) = (words.next()?, words.next()?, words.next()?);
        let record = Self {
            store_id: u128::from_str_radix(id, 16).ok()?.to_be_bytes(),
            commits: commits.parse().ok()?,
        };
        (mark == RECORD_MARK && record.to_text() == text).then_some(record)
    }
}

/// The files of a store. Only this process uses them, until it is dropped.
#[derive(Debug)]
pub(super) struct Directory {
    folder: PathBuf,
    database: PathBuf,
    lock: File,
}

impl Directory {
    /// Locks the store in this file, whose folder must exist. Symbolic links are resolved first, so that two paths to
    /// one database have one lock.
    ///
    /// Fails if another process has locked it, or if others than the owner may access one of its files.
    pub(super) fn lock(path: &Path) -> Result<Self, OpenError> {
        let database = resolve(path)?;
        let folder = folder_of(&database).to_owned();
        // The path as given, if it names the same folder: it may be shorter.
        let given = folder_of(path);
        let given = if given.canonicalize().is_ok_and(|real| real == folder) { given } else { &folder };
        let path = folder.join(LOCK_FILE);
        let flags = OFlags::CREATE | OFlags::RDWR | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
        let lock = match rustix::fs::open(&path, flags, Mode::RUSR | Mode::WUSR) {
            Ok(descriptor) => File::from(descriptor),
            Err(rustix::io::Errno::LOOP) => return Err(symbolic_link(&path)),
            Err(error) => return Err(refused(&path, io::Error::from(error))),
        };
        check_files(&database, &path)?;
        match lock.try_lock() {
            Ok(()) => Ok(Self { folder: given.to_owned(), database, lock }),
            Err(TryLockError::WouldBlock) => Err(OpenError::InUse(given.to_owned())),
            Err(TryLockError::Error(error)) => Err(refused(&path, error)),
        }
    }

    /// The folder.
    pub(super) fn folder(&self) -> &Path {
        &self.folder
    }

    /// The database file, without symbolic links.
    pub(super) fn database(&self) -> &Path {
        &self.database
    }

    /// The lock file.
    pub(super) fn lock_file(&self) -> PathBuf {
        folder_of(&self.database).join(LOCK_FILE)
    }

    /// Returns the record in the lock file; `None` if the file is empty: it is new, or of a `sessiond` without records.
    /// Fails if it has something else.
    pub(super) fn record(&self) -> Result<Option<Record>, OpenError> {
        let damaged = || {
            OpenError::Refused(format!(
                "{}: it has no valid record of the store's commits, so it is damaged or of another program; if the \
                 database and its -wal are known to be the latest ones, remove it and start again",
                self.lock_file().display()
            ))
        };
        let length = self.lock.metadata().map_err(|error| refused(&self.lock_file(), error))?.len();
        if length == 0 {
            return Ok(None);
        }
        if length != RECORD_BYTES as u64 {
            return Err(damaged());
        }
        let mut text = [0; RECORD_BYTES];
        self.lock.read_exact_at(&mut text, 0).map_err(|error| refused(&self.lock_file(), error))?;
        Record::parse(&text).map(Some).ok_or_else(damaged)
    }

    /// Replaces the record, without a sync: after a power failure the file may have an older one.
    pub(super) fn write_record(&self, record: Record) -> io::Result<()> {
        self.lock.write_all_at(record.to_text().as_bytes(), 0)
    }

    /// Replaces the record, or removes it, and waits until the lock file and the names in the folder are on the disk.
    pub(super) fn sync_record(&self, record: Option<Record>) -> io::Result<()> {
        match record {
            Some(record) => self.write_record(record)?,
            None => self.lock.set_len(0)?,
        }
        self.lock.sync_all()?;
        sync_folder(&self.database)
    }
}

/// Waits until the names in the folder of this file are on the disk.
pub(super) fn sync_folder(path: &Path) -> io::Result<()> {
    File::open(folder_of(path))?.sync_all()
}

/// Returns the folder of a file.
fn folder_of(path: &Path) -> &Path {
    path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

/// Returns the path with this appended to its name.
pub(super) fn with_suffix(path: &Path, suffix: &str) -> PathBuf {
    let mut path = path.as_os_str().to_owned();
    path.push(suffix);
    path.into()
}

/// Returns the error about a file.
pub(super) fn refused(path: &Path, error: impl std::fmt::Display) -> OpenError {
    OpenError::Refused(format!("{}: {error}", path.display()))
}

fn symbolic_link(path: &Path) -> OpenError {
    refused(path, "it is a symbolic link; replace it with the file itself, or remove it")
}

/// Returns the path of a file that need not exist, without symbolic links.
fn resolve(path: &Path) -> Result<PathBuf, OpenError> {
    match path.canonicalize() {
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        resolved => return resolved.map_err(|error| refused(path, error)),
    }
    if path.is_symlink() {
        return Err(refused(path, "it is a symbolic link to a file that does not exist; remove it"));
    }
    let name = path.file_name().ok_or_else(|| refused(path, "it is not the path of a file"))?;
    let folder = folder_of(path);
    Ok(folder.canonicalize().map_err(|error| refused(folder, error))?.join(name))
}

/// Creates the folder of a database file for its owner only, if neither exists. Fails unless the folder belongs to this
/// process's user and nobody else may access it; of a database that is a symbolic link, the folder of the file itself.
pub fn data_directory_prepare(database: &Path) -> Result<(), OpenError> {
    let failed = |folder: &Path, reason: &dyn std::fmt::Display| {
        OpenError::Refused(format!(
            "data directory {}: {reason}, or choose another one with --store",
            folder.display()
        ))
    };
    let fix = |error: io::Error| format!("{error}; fix its permissions");
    let database = database.canonicalize().unwrap_or_else(|_| database.to_owned());
    let folder = folder_of(&database);
    let created = DirBuilder::new().recursive(true).mode(0o700).create(folder);
    created.map_err(|error| failed(folder, &fix(error)))?;
    let found = folder.metadata().map_err(|error| failed(folder, &fix(error)))?;
    if let Some(reason) = of_another_user(&found) {
        return Err(failed(folder, &reason));
    }
    if found.mode() & OTHERS != 0 {
        let mode = found.mode() & 0o777;
        let reason =
            format!("other users may access it (mode {mode:03o}); run `chmod 700 {}`", folder.display());
        return Err(failed(folder, &reason));
    }
    Ok(())
}

/// Fails unless each file that exists is a regular file that only this process's user may access.
fn check_files(database: &Path, lock: &Path) -> Result<(), OpenError> {
    let mut accessible = Vec::new();
    for path in
        [database.to_owned(), with_suffix(database, "-wal"), with_suffix(database, "-shm"), lock.to_owned()]
    {
        let found = match path.symlink_metadata() {
            Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
            found => found.map_err(|error| refused(&path, error))?,
        };
        if found.is_symlink() {
            return Err(symbolic_link(&path));
        }
        if !found.is_file() {
            return Err(refused(&path, "it is not a regular file; name another file in --store"));
        }
        if let Some(reason) = of_another_user(&found) {
            return Err(refused(&path, reason));
        }
        if found.nlink() > 1 {
            // Another name has another lock and another write-ahead log.
            let reason = "it has more than one name (hard links); remove the others, or copy it";
            return Err(refused(&path, reason));
        }
        if found.mode() & OTHERS != 0 {
            accessible.push(path.display().to_string());
        }
    }
    if accessible.is_empty() {
        return Ok(());
    }
    Err(OpenError::Refused(format!(
        "{}: other users may read or write it; run `chmod 600 {}`",
        accessible.join(", "),
        accessible.join(" ")
    )))
}

/// Returns what is wrong if the file belongs to another user.
fn of_another_user(found: &Metadata) -> Option<String> {
    let (owner, user) = (found.uid(), geteuid().as_raw());
    (owner != user).then(|| {
        format!(
            "it belongs to user {owner}, and this process is user {user}; run it as that user, or `chown` it"
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_record_has_one_length_and_nothing_else_is_a_record() {
        for (store_id, commits) in [([0; 16], 0), ([0xab; 16], 1), ([0xff; 16], u64::MAX)] {
            let record = Record { store_id, commits };
            let text = record.to_text();
            assert_eq!(text.len(), RECORD_BYTES);
            assert_eq!(Record::parse(text.as_bytes()), Some(record));
            for wrong in [
                text.trim_end().to_owned(),
                text.replace("-1", "-2"),
                text.replace(' ', "  "),
                format!(" {text}"),
            ] {
                assert_eq!(Record::parse(wrong.as_bytes()), None, "{wrong:?}");
            }
        }
        assert_eq!(Record::parse(&[0; RECORD_BYTES]), None);
    }
}
