//! Whether some order of the requests about one session explains all responses: linearizability, checked exactly.
//!
//! The search is that of Wing and Gong with memory of visited configurations (Lowe, "Testing for linearizability", 2017).
//! A request that a configuration explains and that changes nothing is taken at once: taking it later explains no more.

use std::collections::HashSet;
use std::fmt::Write as _;
use std::time::{Duration, Instant};

use crate::model::{Action, Caller, Seen, State, apply};
use crate::report::Kind;

/// The number of configurations after which a search gives up. Histories here need a few hundred.
const CONFIGURATIONS_MAX: usize = 300_000;

/// How long a history is made smaller. What remains is longer than it need be.
const SHORTENING_MAX: Duration = Duration::from_secs(2);

/// A request, its response, and when they were sent and received, in nanoseconds.
#[derive(Clone, Debug)]
pub(crate) struct Entry {
    pub(crate) caller: Caller,
    pub(crate) action: Action,
    pub(crate) seen: Seen,
    pub(crate) invoked: u64,
    /// `u64::MAX` if the change may still be made.
    pub(crate) responded: u64,
}

/// The result of a search.
#[derive(Debug, PartialEq, Eq)]
enum Verdict {
    /// An order explains the responses. Contains the state at its end.
    Explained(State),
    /// None does.
    Unexplained,
    /// The search gave up.
    Undecided,
}

/// Searches for an order of the requests that explains their responses and in which no request comes before one that had
/// been answered when it was sent. A change without a response may be left out, and cannot be made after a crash.
fn check(initial: &State, history: &[Entry]) -> Verdict {
    // A read without a response says nothing.
    let mut entries: Vec<&Entry> =
        history.iter().filter(|entry| entry.seen != Seen::Open || !entry.action.reads()).collect();
    entries.sort_unstable_by_key(|entry| entry.invoked);
    let mut visited = HashSet::new();
    let mut waiting = vec![(Taken::new(entries.len()), initial.clone())];
    while let Some((mut taken, state)) = waiting.pop() {
        let candidates = take_what_changes_nothing(&entries, &mut taken, &state);
        if candidates.finished {
            return Verdict::Explained(state);
        }
        if !visited.insert((taken.clone(), state.clone())) {
            continue;
        }
        if visited.len() > CONFIGURATIONS_MAX {
            return Verdict::Undecided;
        }
        // The first to have been sent is the first to be tried.
        for (place, after) in candidates.changes.into_iter().rev() {
            let mut taken = taken.clone();
            taken.insert(place);
            waiting.push((taken, after));
        }
    }
    Verdict::Unexplained
}

/// The requests that are already in the order, by place.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Taken(Vec<u64>);

impl Taken {
    fn new(count: usize) -> Self {
        Self(vec![0; count.div_ceil(64)])
    }

    fn contains(&self, place: usize) -> bool {
        self.0[place / 64] >> (place % 64) & 1 == 1
    }

    fn insert(&mut self, place: usize) {
        self.0[place / 64] |= 1 << (place % 64);
    }
}

/// What can come next in the order.
struct Candidates {
    /// Whether everything that has a response is in the order.
    finished: bool,
    /// The requests that change the state, and the state after each.
    changes: Vec<(usize, State)>,
}

fn take_what_changes_nothing(entries: &[&Entry], taken: &mut Taken, state: &State) -> Candidates {
    loop {
        let remaining = || (0..entries.len()).filter(|place| !taken.contains(*place));
        let answered = |place: &usize| entries[*place].seen != Seen::Open;
        // What was sent after this had been answered comes later.
        let horizon = remaining().filter(answered).map(|place| entries[place].responded).min();
        let Some(horizon) = horizon else { return Candidates { finished: true, changes: Vec::new() } };
        let (mut same, mut changes) = (Vec::new(), Vec::new());
        for place in remaining().take_while(|place| entries[*place].invoked <= horizon) {
            let Entry { caller, action, seen, .. } = entries[place];
            let (predicted, after) = apply(state, caller, action);
            let too_late = *seen == Seen::Open && state.crashed;
            if too_late || !predicted.explains(seen) {
                continue;
            }
            // Where the response does not show whether it changed anything, it may come later and change something.
            if after != *state || *seen == Seen::Revoked(None) {
                changes.push((place, after));
            } else if *seen != Seen::Open {
                same.push(place);
            }
        }
        if same.is_empty() {
            return Candidates { finished: false, changes };
        }
        for place in same {
            taken.insert(place);
        }
    }
}

/// Removes what is not needed to see that no order explains the history: of a smaller history that none explains, none
/// explains the whole.
fn smallest_unexplained(initial: &State, history: &[Entry]) -> Vec<Entry> {
    let began = Instant::now();
    let mut smallest = history.to_vec();
    for place in (0..history.len()).rev() {
        if began.elapsed() > SHORTENING_MAX {
            break;
        }
        let mut less = smallest.clone();
        let entry = &mut less[place];
        if entry.seen == Seen::Crashed {
            continue;
        }
        if entry.action.reads() || matches!(entry.seen, Seen::Refused(_)) {
            less.remove(place);
        } else {
            // Whether and when it was made is left open.
            (entry.seen, entry.responded) = (Seen::Open, u64::MAX);
        }
        if check(initial, &less) == Verdict::Unexplained {
            smallest = less;
        }
    }
    smallest
}

/// A history that no order explains, or of which it is not known.
pub(crate) struct Contradiction {
    pub(crate) kind: Kind,
    initial: State,
    history: Vec<Entry>,
    /// Why this is not known, if it is not.
    undecided: Option<&'static str>,
}

impl Contradiction {
    /// Describes a smaller history that no order explains either. This takes up to some seconds.
    pub(crate) fn describe(&self) -> String {
        if let Some(reason) = self.undecided {
            return format!("{reason}: {}", describe(&self.initial, &self.history));
        }
        describe(&self.initial, &smallest_unexplained(&self.initial, &self.history))
    }
}

/// Checks a history and the reads after it. Returns the state at the end, or what contradicts it: a wrong order among the
/// requests before the reads, a dead token that was accepted, or else a finding of this kind.
pub(crate) fn judge(
    initial: State,
    before: Vec<Entry>,
    after: Vec<Entry>,
    otherwise: Kind,
) -> Result<State, Contradiction> {
    let requests = before.len();
    let mut history = before;
    let unanswered = after.iter().any(|entry| entry.seen == Seen::Open);
    history.extend(after);
    let undecided = match check(&initial, &history) {
        _ if unanswered => Some("a read was not answered"),
        Verdict::Explained(state) => return Ok(state),
        Verdict::Undecided => Some("the search gave up"),
        Verdict::Unexplained => None,
    };
    if undecided.is_some() {
        return Err(Contradiction { kind: Kind::Other, initial, history, undecided });
    }
    let contradicts = |end: &usize| check(&initial, &history[..*end]) == Verdict::Unexplained;
    let first = (requests..=history.len()).find(contradicts).unwrap_or(history.len());
    history.truncate(first);
    let kind = match history.last() {
        _ if first == requests => Kind::WrongOrder,
        Some(Entry { caller: Caller::Own(_), seen: Seen::Session(_), .. }) => Kind::DeadToken,
        _ => otherwise,
    };
    Err(Contradiction { kind, initial, history, undecided: None })
}

/// Describes a history, a line for each request.
fn describe(initial: &State, history: &[Entry]) -> String {
    let start = history.iter().map(|entry| entry.invoked).min().unwrap_or_default();
    let ms = |at: u64| match at {
        u64::MAX => "open".to_owned(),
        at => format!("{}.{:03} ms", (at - start) / 1_000_000, (at - start) / 1_000 % 1_000),
    };
    let mut text = format!("it begins as {initial}");
    for Entry { caller, action, seen, invoked, responded } in history {
        // Writing to a string cannot fail.
        let _ = write!(text, "\n{} to {}: {action}, by {caller}: {seen}", ms(*invoked), ms(*responded));
    }
    text
}

#[cfg(test)]
mod tests;
