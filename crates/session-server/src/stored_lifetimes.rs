//! By which lifetimes the stored times of sessions were computed, and computing them again after the settings have changed.
//!
//! A list may rely on the stored times only if all of them are by this node's lifetimes. Which ones they are by is a
//! setting of the store: the digest of the lifetimes; while they are computed, followed by the ID up to which they are; or
//! nothing, while nodes with different lifetimes write.
//!
//! A node with other lifetimes than those in the setting empties it before it writes its first session, and so does each
//! node that notices another one with other lifetimes. Nothing is computed then, so that two nodes never replace the times
//! of each other.

use std::time::Duration;

use session_types::SessionId;

use crate::error::Error;
use crate::sessions::Sessions;

/// The name of the setting.
const SETTING: &str = "stored_lifetimes";

/// How many sessions one transaction gives new times: a few milliseconds of the writer's time.
const BATCH: u32 = 200;

/// How many batches make a part, after which the progress is stored: a second or two of work, which is all that another
/// node may have to repeat.
const PART_BATCHES: u32 = 50;

/// The pause after a batch, in which the writer serves requests.
const PAUSE: Duration = Duration::from_millis(5);

/// By which lifetimes the stored times are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Progress {
    /// All of them by this node's.
    Complete,
    /// By this node's up to this ID, and in all sessions that were written since the computation began.
    UpTo(SessionId),
    /// By any.
    Unknown,
}

impl Progress {
    fn of(setting: Option<&str>, digest: &str) -> Self {
        match setting.and_then(|setting| setting.strip_prefix(digest)) {
            Some("") => Self::Complete,
            Some(rest) => rest.trim_start().parse().map_or(Self::Unknown, Self::UpTo),
            None => Self::Unknown,
        }
    }
}

/// A part of the computation.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Part {
    /// How many sessions were checked.
    pub checked: u64,
    /// Whether all stored times are by this node's lifetimes now.
    pub is_last: bool,
}

async fn setting(sessions: &Sessions) -> Result<Option<String>, Error> {
    sessions.storage().call(|store| store.setting_fetch(SETTING)).await
}

async fn replace(sessions: &Sessions, value: String) -> Result<(), Error> {
    sessions.storage().call(|store| store.setting_replace(SETTING, value)).await
}

/// Returns whether all stored times are by this node's lifetimes. One read by primary key.
pub async fn are_applied(sessions: &Sessions) -> Result<bool, Error> {
    let setting = setting(sessions).await?;
    Ok(Progress::of(setting.as_deref(), sessions.lifetimes_digest()) == Progress::Complete)
}

/// Records that stored times may be by any lifetimes.
pub async fn invalidate(sessions: &Sessions) -> Result<(), Error> {
    match setting(sessions).await? {
        Some(value) if value.is_empty() => Ok(()),
        _ => replace(sessions, String::new()).await,
    }
}

/// As [`invalidate`], if this node's lifetimes are others than those in the setting. To be called before this process
/// writes its first session.
pub async fn prepare(sessions: &Sessions) -> Result<(), Error> {
    let setting = setting(sessions).await?;
    match Progress::of(setting.as_deref(), sessions.lifetimes_digest()) {
        Progress::Unknown => invalidate(sessions).await,
        Progress::Complete | Progress::UpTo(_) => Ok(()),
    }
}

/// Computes the times of some sessions by this node's lifetimes, from where the last part ended, in batches with pauses.
/// Nothing is read if all of them are. It stops early, and does not store its progress, once `may_continue` returns false.
pub async fn apply_part(sessions: &Sessions, may_continue: impl Fn() -> bool) -> Result<Part, Error> {
    let storage = sessions.storage();
    let digest = sessions.lifetimes_digest();
    let mut after = match Progress::of(setting(sessions).await?.as_deref(), digest) {
        Progress::Complete => return Ok(Part { checked: 0, is_last: true }),
        Progress::UpTo(id) => Some(id),
        Progress::Unknown => None,
    };
    let mut part = Part::default();
    for _ in 0..PART_BATCHES {
        if !may_continue() {
            return Ok(part);
        }
        let page = storage.page(|store| store.session_page(after, BATCH)).await?;
        let checked = page.items.len() as u64;
        let changed: Vec<_> = page
            .items
            .iter()
            .filter_map(|session| sessions.with_new_times(session).map(|replacement| (replacement, None)))
            .collect();
        if !changed.is_empty() {
            let replaced = storage.call(|store| store.session_replace_many(changed)).await?;
            tokio::time::sleep(PAUSE).await;
            if replaced.contains(&false) {
                // Others have changed sessions meanwhile; they are read again.
                continue;
            }
        }
        part.checked += checked;
        part.is_last = page.next.is_none();
        if part.is_last {
            break;
        }
        after = page.next.map(SessionId);
    }
    if !may_continue() {
        return Ok(Part { is_last: false, ..part });
    }
    match after {
        _ if part.is_last => replace(sessions, digest.to_owned()).await?,
        Some(id) => replace(sessions, format!("{digest} {id}")).await?,
        None => {}
    }
    Ok(part)
}

#[cfg(test)]
mod tests {
    use session_types::Id;

    use super::*;

    #[test]
    fn a_setting_is_complete_or_progress_only_of_the_same_digest() {
        let id = SessionId(Id::from_bytes([7; 20]));
        for (setting, expected) in [
            (None, Progress::Unknown),
            (Some(String::new()), Progress::Unknown),
            (Some("aa".to_owned()), Progress::Complete),
            (Some("bb".to_owned()), Progress::Unknown),
            (Some(format!("aa {id}")), Progress::UpTo(id)),
            (Some(format!("bb {id}")), Progress::Unknown),
            (Some("aa x".to_owned()), Progress::Unknown),
        ] {
            assert_eq!(Progress::of(setting.as_deref(), "aa"), expected, "{setting:?}");
        }
    }
}
