//! The files of the SQLite store: lost commits, permissions, backups.
#![expect(clippy::unwrap_used, reason = "in tests a panic is the report")]

use std::collections::BTreeMap;
use std::fs::{self, Permissions};
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::Path;

use session_store::contract_suite::{event, session};
use session_store::{OpenError, Sessions, SqliteStore, Store, data_directory_prepare};
use tempfile::TempDir;

const DATABASE: &str = "sessions.db";
const LOG: &str = "sessions.db-wal";
const LOCK: &str = "sessiond.lock";

fn open(folder: &Path) -> Result<SqliteStore, OpenError> {
    SqliteStore::open(&folder.join(DATABASE))
}

/// Returns why the store in this folder is not opened.
fn refusal(folder: &Path) -> String {
    match open(folder) {
        Err(OpenError::Refused(text)) => text,
        other => panic!("{other:?}"),
    }
}

/// Adds these sessions, a hundred with each commit.
async fn import(store: &SqliteStore, numbers: std::ops::Range<u64>) {
    let sessions: Vec<_> = numbers.map(|last| (session(last), event(last, session(last).id))).collect();
    for batch in sessions.chunks(100) {
        for result in store.session_import(batch.to_vec()).await.unwrap() {
            result.unwrap();
        }
    }
}

async fn count(store: &SqliteStore) -> usize {
    store.session_page(None, 100_000).await.unwrap().items.len()
}

/// The bytes of the files of a store by name, as a process that was killed leaves them. The `-shm` is left out: SQLite
/// computes it from the others.
type Files = BTreeMap<String, Vec<u8>>;

fn files(folder: &Path) -> Files {
    let read = |name: &str| Some((name.to_owned(), fs::read(folder.join(name)).ok()?));
    [DATABASE, LOG, LOCK].into_iter().filter_map(read).collect()
}

fn write(folder: &Path, name: &str, bytes: &[u8]) {
    let path = folder.join(name);
    fs::write(&path, bytes).unwrap();
    fs::set_permissions(&path, Permissions::from_mode(0o600)).unwrap();
}

fn write_all(folder: &Path, files: &Files) {
    for (name, bytes) in files {
        write(folder, name, bytes);
    }
}

/// An older and the latest state of a store. Of its 3,000 sessions, the last 500 are in the write-ahead log alone; of the
/// older one's 2,000 as well.
async fn older_and_latest() -> (Files, Files) {
    let folder = tempfile::tempdir().unwrap();
    import(&open(folder.path()).unwrap(), 0..1_500).await;
    let store = open(folder.path()).unwrap();
    import(&store, 1_500..2_000).await;
    let older = files(folder.path());
    import(&store, 2_000..2_500).await;
    drop(store);
    let store = open(folder.path()).unwrap();
    import(&store, 2_500..3_000).await;
    (older, files(folder.path()))
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Damage {
    None,
    Missing,
    Empty,
    Cut,
    Zeroed,
    Older,
}

impl Damage {
    const ALL: [Self; 6] = [Self::None, Self::Missing, Self::Empty, Self::Cut, Self::Zeroed, Self::Older];

    fn apply(self, latest: &[u8], older: &[u8]) -> Option<Vec<u8>> {
        match self {
            Self::None => Some(latest.to_vec()),
            Self::Missing => None,
            Self::Empty => Some(Vec::new()),
            Self::Cut => Some(latest[..latest.len() / 2].to_vec()),
            Self::Zeroed => Some(vec![0; latest.len()]),
            Self::Older => Some(older.to_vec()),
        }
    }
}

#[tokio::test]
async fn a_store_with_lost_commits_is_refused_and_unchanged_whichever_file_is_damaged() {
    let (older, latest) = older_and_latest().await;
    let (mut opened, mut refused) = (0, 0);
    for database in Damage::ALL {
        for log in Damage::ALL {
            for lock in Damage::ALL {
                let case = format!("database {database:?}, log {log:?}, lock {lock:?}");
                let folder = tempfile::tempdir().unwrap();
                for (name, damage) in [(DATABASE, database), (LOG, log), (LOCK, lock)] {
                    if let Some(bytes) = damage.apply(&latest[name], &older[name]) {
                        write(folder.path(), name, &bytes);
                    }
                }
                let mut before = files(folder.path());
                let store = match open(folder.path()) {
                    Err(OpenError::InUse(_)) => panic!("{case}"),
                    Err(OpenError::Refused(text)) => {
                        assert!(text.contains("sessions.db") || text.contains(LOCK), "{case}: {text}");
                        // An empty lock file is as good as none.
                        before.entry(LOCK.to_owned()).or_default();
                        assert!(files(folder.path()) == before, "{case}: {text}");
                        assert!(!folder.path().join("sessions.db-shm").exists(), "{case}");
                        refused += 1;
                        continue;
                    }
                    Ok(store) => store,
                };
                opened += 1;
                let sessions = count(&store).await;
                drop(store);
                SqliteStore::check(&folder.path().join(DATABASE)).unwrap();
                match (database, log, lock) {
                    (Damage::None, Damage::None, _) => assert_eq!(sessions, 3_000, "{case}"),
                    (_, _, Damage::None) => panic!("{case}: {sessions} sessions"),
                    // Whoever removes the lock file accepts what is lost, if the rest is consistent; and an older copy
                    // of everything is the store as it was.
                    (Damage::Missing | Damage::Empty, ..) => {
                        assert!(matches!(log, Damage::Missing | Damage::Empty), "{case}");
                        assert!(matches!(lock, Damage::Missing | Damage::Empty), "{case}");
                        assert_eq!(sessions, 0, "{case}");
                    }
                    (Damage::None, Damage::Cut, _) => assert!((2_500..3_000).contains(&sessions), "{case}"),
                    (Damage::None, Damage::Missing | Damage::Empty | Damage::Zeroed, _) => {
                        assert_eq!(sessions, 2_500, "{case}");
                    }
                    (Damage::Older, Damage::Older, _) => assert_eq!(sessions, 2_000, "{case}"),
                    (Damage::Older, Damage::Missing | Damage::Empty | Damage::Zeroed, _) => {
                        assert!(matches!(lock, Damage::Missing | Damage::Empty), "{case}");
                        assert_eq!(sessions, 1_500, "{case}");
                    }
                    _ => panic!("{case}: {sessions} sessions"),
                }
            }
        }
    }
    println!("{} combinations: {opened} opened, {refused} refused", opened + refused);
    assert_eq!(opened + refused, 216);
}

#[tokio::test]
async fn a_refusal_says_which_file_is_wrong_how_many_commits_are_lost_and_what_to_do() {
    let (older, latest) = older_and_latest().await;
    let other = tempfile::tempdir().unwrap();
    import(&open(other.path()).unwrap(), 0..10).await;
    let foreign = files(other.path());
    let cut = latest[DATABASE][..latest[DATABASE].len() / 2].to_vec();
    for (name, bytes, expected) in [
        (DATABASE, None, "sessions.db: it does not exist, but"),
        (DATABASE, Some(vec![]), "sessions.db: it is empty, but"),
        (DATABASE, Some(cut), "sessions.db: it is damaged"),
        (
            DATABASE,
            Some(older[DATABASE].clone()),
            "it is an older copy: it has 15 commits, and its -wal begins after 25",
        ),
        (LOG, None, "the last 5 are lost: "),
        (LOG, None, "sessions.db-wal does not exist"),
        (LOG, Some(vec![]), "sessions.db-wal is empty"),
        (LOG, Some(vec![0; 100_000]), "sessions.db-wal is damaged"),
        (LOG, Some(latest[LOG][..latest[LOG].len() / 2].to_vec()), "are lost: "),
        (LOG, Some(older[LOG].clone()), "it has 20 of 30 commits, so the last 10 are lost"),
        (LOCK, Some(foreign[LOCK].clone()), "sessiond.lock belongs to another store"),
        (LOCK, Some(vec![0; 40]), "sessiond.lock: it has no valid record"),
    ] {
        let folder = tempfile::tempdir().unwrap();
        let mut all = latest.clone();
        all.remove(name);
        all.extend(bytes.map(|bytes| (name.to_owned(), bytes)));
        write_all(folder.path(), &all);
        let text = refusal(folder.path());
        assert!(text.contains(expected), "{expected}: {text}");
        assert!(
            text.contains("`sessiond restore FILE`") || text.contains("remove it and start again"),
            "{text}"
        );
    }
}

#[tokio::test]
async fn a_write_ahead_log_of_another_store_is_not_applied() {
    let own = tempfile::tempdir().unwrap();
    import(&open(own.path()).unwrap(), 0..1).await;
    let other = tempfile::tempdir().unwrap();
    let store = open(other.path()).unwrap();
    // It has more commits, as a log that belongs to the database would.
    for last in 0..5 {
        import(&store, last..last + 1).await;
    }
    let folder = tempfile::tempdir().unwrap();
    write_all(folder.path(), &files(other.path()));
    write(folder.path(), DATABASE, &files(own.path())[DATABASE]);
    for lock in [LOCK, "none"] {
        let text = refusal(folder.path());
        assert!(text.contains("its -wal belongs to another store"), "{lock}: {text}");
        fs::remove_file(folder.path().join(LOCK)).unwrap();
    }
}

#[tokio::test]
async fn a_copy_from_before_the_count_is_not_mixed_with_a_newer_write_ahead_log() {
    let (_, latest) = older_and_latest().await;
    let folder = tempfile::tempdir().unwrap();
    let old = folder.path().join("old.db");
    let connection = rusqlite::Connection::open(&old).unwrap();
    connection.execute_batch(include_str!("../src/sqlite/migrations/0001_first.sql")).unwrap();
    connection.execute_batch("PRAGMA application_id = 1397052243; PRAGMA user_version = 1;").unwrap();
    drop(connection);
    write_all(folder.path(), &latest);
    write(folder.path(), DATABASE, &fs::read(&old).unwrap());
    for lock in [LOCK, "none"] {
        let text = refusal(folder.path());
        assert!(text.contains("`sessiond restore FILE`"), "{lock}: {text}");
        fs::remove_file(folder.path().join(LOCK)).unwrap();
    }
    // Alone, it is migrated.
    fs::remove_file(folder.path().join(LOG)).unwrap();
    fs::remove_file(folder.path().join(LOCK)).unwrap_or_default();
    assert_eq!(count(&open(folder.path()).unwrap()).await, 0);
}

#[tokio::test]
async fn an_older_record_is_no_loss_because_it_is_not_synced() {
    let (older, latest) = older_and_latest().await;
    let folder = tempfile::tempdir().unwrap();
    write_all(folder.path(), &latest);
    write(folder.path(), LOCK, &older[LOCK]);
    let store = open(folder.path()).unwrap();
    assert_eq!((count(&store).await, store.is_new()), (3_000, false));
    // The record is up to date again.
    drop(store);
    fs::remove_file(folder.path().join(DATABASE)).unwrap();
    assert!(refusal(folder.path()).contains("records 30 commits"));
}

#[tokio::test]
async fn a_change_that_changes_nothing_is_no_commit() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path()).unwrap();
    import(&store, 0..1).await;
    let before = files(folder.path());
    assert_eq!(store.session_delete_ended(session(1).created_at, 10).await, Ok(0));
    assert!(store.session_create(session(0), event(7, session(0).id), None).await.is_err());
    assert!(files(folder.path()) == before);
    store.ready().await.unwrap();
    assert!(files(folder.path()) != before);
}

#[test]
fn files_that_others_may_access_are_refused_with_the_command_that_fixes_it() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path()).unwrap();
    assert!(store.is_new());
    let names = [DATABASE, LOG, "sessions.db-shm", LOCK];
    for name in names {
        assert_eq!(
            fs::metadata(folder.path().join(name)).unwrap().permissions().mode() & 0o777,
            0o600,
            "{name}"
        );
    }
    drop(store);
    for name in [DATABASE, LOCK] {
        for mode in [0o640, 0o620, 0o604, 0o602, 0o644, 0o666] {
            let path = folder.path().join(name);
            fs::set_permissions(&path, Permissions::from_mode(mode)).unwrap();
            let text = refusal(folder.path());
            assert!(text.ends_with(&format!("run `chmod 600 {}`", path.display())), "{mode:o}: {text}");
            fs::set_permissions(&path, Permissions::from_mode(0o600)).unwrap();
        }
    }
    for name in [LOG, "sessions.db-shm"] {
        let path = folder.path().join(name);
        fs::write(&path, "").unwrap();
        fs::set_permissions(&path, Permissions::from_mode(0o644)).unwrap();
        assert!(refusal(folder.path()).contains("chmod 600"), "{name}");
        fs::remove_file(path).unwrap();
    }
    open(folder.path()).unwrap();
}

#[test]
fn a_folder_that_others_may_access_is_refused_with_the_command_that_fixes_it() {
    let folder = tempfile::tempdir().unwrap();
    for mode in [0o750, 0o705, 0o711, 0o755, 0o777] {
        fs::set_permissions(folder.path(), Permissions::from_mode(mode)).unwrap();
        let text = data_directory_prepare(&folder.path().join(DATABASE)).unwrap_err().to_string();
        assert!(text.contains(&format!("run `chmod 700 {}`", folder.path().display())), "{mode:o}: {text}");
    }
    fs::set_permissions(folder.path(), Permissions::from_mode(0o700)).unwrap();
    data_directory_prepare(&folder.path().join(DATABASE)).unwrap();
    let inner = folder.path().join("one/two");
    data_directory_prepare(&inner.join(DATABASE)).unwrap();
    assert_eq!(fs::metadata(inner).unwrap().permissions().mode() & 0o777, 0o700);
    // The folder of the file itself counts, not that of a link to it.
    let open_to_all = tempfile::tempdir().unwrap();
    fs::set_permissions(open_to_all.path(), Permissions::from_mode(0o755)).unwrap();
    fs::write(open_to_all.path().join(DATABASE), "").unwrap();
    symlink(open_to_all.path().join(DATABASE), folder.path().join("link.db")).unwrap();
    assert!(data_directory_prepare(&folder.path().join("link.db")).is_err());
}

#[test]
fn files_of_another_user_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    drop(open(folder.path()).unwrap());
    for name in [DATABASE, LOCK] {
        let path = folder.path().join(name);
        if std::os::unix::fs::chown(&path, Some(65_534), None).is_err() {
            eprintln!("skipped: only root may give a file to another user");
            return;
        }
        let text = refusal(folder.path());
        assert!(text.contains("it belongs to user 65534"), "{name}: {text}");
        std::os::unix::fs::chown(&path, Some(0), None).unwrap();
    }
    open(folder.path()).unwrap();
}

#[test]
fn a_lock_file_that_is_a_symbolic_link_is_refused_and_its_target_unchanged() {
    let folder = tempfile::tempdir().unwrap();
    let target = folder.path().join("precious");
    write(folder.path(), "precious", b"precious");
    symlink(&target, folder.path().join(LOCK)).unwrap();
    assert!(refusal(folder.path()).contains("sessiond.lock: it is a symbolic link"));
    assert_eq!(fs::read(&target).unwrap(), b"precious");
    assert!(!folder.path().join(DATABASE).exists());
    // Nor is any other file truncated that is no lock file.
    fs::remove_file(folder.path().join(LOCK)).unwrap();
    fs::rename(&target, folder.path().join(LOCK)).unwrap();
    assert!(refusal(folder.path()).contains("no valid record"));
    assert_eq!(fs::read(folder.path().join(LOCK)).unwrap(), b"precious");
}

#[test]
fn one_database_is_opened_once_by_whatever_path() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path()).unwrap();
    let elsewhere = tempfile::tempdir().unwrap();
    symlink(folder.path().join(DATABASE), elsewhere.path().join("link.db")).unwrap();
    symlink(folder.path(), elsewhere.path().join("folder")).unwrap();
    let paths = [elsewhere.path().join("link.db"), elsewhere.path().join("folder").join(DATABASE)];
    for path in &paths {
        assert!(matches!(SqliteStore::open(path), Err(OpenError::InUse(_))), "{}", path.display());
    }
    drop(store);
    for path in &paths {
        assert!(!SqliteStore::open(path).unwrap().is_new());
    }
    assert!(!elsewhere.path().join(LOCK).exists());
    // A second name for the file itself has a lock of its own.
    fs::hard_link(folder.path().join(DATABASE), elsewhere.path().join("hard.db")).unwrap();
    assert!(refusal(folder.path()).contains("hard links"));
    fs::remove_file(elsewhere.path().join("hard.db")).unwrap();
    symlink(folder.path().join("nothing"), elsewhere.path().join("dangling.db")).unwrap();
    assert!(SqliteStore::open(&elsewhere.path().join("dangling.db")).is_err());
    assert!(!folder.path().join("nothing").exists());
}

fn backup(folder: &TempDir, name: &str) -> std::path::PathBuf {
    folder.path().join(name)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_backup_under_load_has_every_session_acknowledged_before_and_is_restored_elsewhere() {
    let folder = tempfile::tempdir().unwrap();
    let store = std::sync::Arc::new(open(folder.path()).unwrap());
    import(&store, 0..2_000).await;
    let load = tokio::spawn({
        let store = std::sync::Arc::clone(&store);
        async move { import(&store, 2_000..12_000).await }
    });
    while count(&store).await < 3_000 {
        tokio::task::yield_now().await;
    }
    let acknowledged = count(&store).await as u64;
    let file = backup(&folder, "backup.db");
    let (database, to) = (folder.path().join(DATABASE), file.clone());
    tokio::task::spawn_blocking(move || SqliteStore::backup(&database, &to)).await.unwrap().unwrap();
    assert_eq!(fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
    load.await.unwrap();
    assert!(SqliteStore::backup(&folder.path().join(DATABASE), &file).is_err(), "it replaces no file");

    let summary = SqliteStore::check_backup(&file).unwrap();
    let saved = summary.sessions.iter().map(|(_, count)| count).sum::<u64>();
    println!("{acknowledged} acknowledged before, {saved} in the backup, 12,000 after");
    assert!((acknowledged..=12_000).contains(&saved), "{summary:?}");
    assert_eq!(summary.events, saved, "each session has its event");

    let other = tempfile::tempdir().unwrap();
    let restored = SqliteStore::restore(&other.path().join(DATABASE), &file).unwrap();
    assert_eq!((restored.summary, restored.replaced), (summary, vec![]));
    let store = open(other.path()).unwrap();
    assert_eq!((count(&store).await as u64, store.is_new()), (saved, false));
    for last in 0..acknowledged {
        assert_eq!(store.session_fetch(session(last).id).await, Ok(Some(session(last))));
    }
}

#[tokio::test]
async fn a_restore_keeps_the_files_that_it_replaces_and_the_store_opens_again() {
    let (_, latest) = older_and_latest().await;
    let folder = tempfile::tempdir().unwrap();
    let database = folder.path().join(DATABASE);
    write_all(folder.path(), &latest);
    let file = backup(&folder, "backup.db");
    SqliteStore::backup(&database, &file).unwrap();
    assert!(files(folder.path()) == latest, "a backup without a server changes nothing");
    // What a restore is for.
    fs::remove_file(folder.path().join(LOG)).unwrap();
    assert!(refusal(folder.path()).contains("are lost"));
    assert!(SqliteStore::check(&database).unwrap_err().to_string().contains("are lost"));
    assert!(SqliteStore::backup(&database, &backup(&folder, "second.db")).is_err());
    let restored = SqliteStore::restore(&database, &file).unwrap();
    assert_eq!(restored.summary.sessions, [("new".to_owned(), 3_000)]);
    let replaced = restored.replaced.iter().find(|path| !path.to_string_lossy().ends_with("-shm")).unwrap();
    assert_eq!(fs::read(replaced).unwrap(), latest[DATABASE]);
    assert_eq!(SqliteStore::check(&database), Ok(restored.summary));
    // Its ID is another: the old write-ahead log, put back, is not applied to it.
    write(folder.path(), LOG, &latest[LOG]);
    let reason = refusal(folder.path());
    assert!(reason.contains("belongs to another store") || reason.contains("damaged"), "{reason}");
    fs::remove_file(folder.path().join(LOG)).unwrap();
    let store = open(folder.path()).unwrap();
    assert_eq!(count(&store).await, 3_000);
    assert!(matches!(SqliteStore::restore(&database, &file), Err(OpenError::InUse(_))));
    let others = |name: &str| !["backup.db", DATABASE, LOG, LOCK, "sessions.db-shm"].contains(&name);
    let left =
        fs::read_dir(folder.path()).unwrap().map(|file| file.unwrap().file_name().into_string().unwrap());
    assert!(left.filter(|name| others(name)).all(|name| name.contains(".replaced-")));
}

#[tokio::test]
async fn an_unusable_backup_is_refused_and_the_store_unchanged() {
    let folder = tempfile::tempdir().unwrap();
    import(&open(folder.path()).unwrap(), 0..500).await;
    let database = folder.path().join(DATABASE);
    let file = backup(&folder, "backup.db");
    SqliteStore::backup(&database, &file).unwrap();
    let whole = fs::read(&file).unwrap();
    let before = files(folder.path());
    let mut flipped = whole.clone();
    let middle = flipped.len() / 2;
    flipped[middle..middle + 2_000].fill(0x5a);
    let other = backup(&folder, "other.db");
    rusqlite::Connection::open(&other).unwrap().execute_batch("CREATE TABLE notes (text)").unwrap();
    let newer = backup(&folder, "newer.db");
    fs::copy(&file, &newer).unwrap();
    rusqlite::Connection::open(&newer).unwrap().execute_batch("PRAGMA user_version = 4711").unwrap();
    for (what, bytes, expected) in [
        ("empty", vec![], "not the database of a session store"),
        ("cut", whole[..whole.len() / 2].to_vec(), ""),
        ("zeroed", vec![0; whole.len()], "not a database"),
        ("flipped", flipped, ""),
        ("text", b"not a backup".repeat(1_000), "not a database"),
        ("other", fs::read(&other).unwrap(), "not the database of a session store"),
        ("newer", fs::read(&newer).unwrap(), "4711"),
    ] {
        let unusable = backup(&folder, what);
        fs::write(&unusable, bytes).unwrap();
        for error in [
            SqliteStore::restore(&database, &unusable).unwrap_err(),
            SqliteStore::check_backup(&unusable).unwrap_err(),
        ] {
            assert!(error.to_string().contains(expected), "{what}: {error}");
        }
        assert!(files(folder.path()) == before, "{what}");
    }
    fs::write(folder.path().join("backup.db-wal"), "left").unwrap();
    assert!(SqliteStore::restore(&database, &file).unwrap_err().to_string().contains("-wal"));
    assert_eq!(count(&open(folder.path()).unwrap()).await, 500);
}

#[tokio::test]
async fn a_backup_of_an_older_schema_is_restored_and_migrated() {
    let folder = tempfile::tempdir().unwrap();
    import(&open(folder.path()).unwrap(), 0..10).await;
    let old = backup(&folder, "old.db");
    let connection = rusqlite::Connection::open(&old).unwrap();
    connection.execute_batch(include_str!("../src/sqlite/migrations/0001_first.sql")).unwrap();
    connection.execute_batch(include_str!("../src/sqlite/migrations/0002_life.sql")).unwrap();
    connection.execute_batch("PRAGMA application_id = 1397052243; PRAGMA user_version = 2;").unwrap();
    drop(connection);
    let database = folder.path().join(DATABASE);
    let restored = SqliteStore::restore(&database, &old).unwrap();
    assert_eq!((restored.summary.schema_version, restored.summary.commits), (2, None));
    assert_eq!(count(&open(folder.path()).unwrap()).await, 0);
    assert!(SqliteStore::check(&database).unwrap().schema_version > 2);
}
