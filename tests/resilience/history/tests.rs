//! Histories made by hand: right ones are explained, and wrong ones are not.

use std::sync::Arc;

use super::*;
use crate::model::{Status, TokenNumber, View};

const ACCOUNT: &str = "account";

/// An authenticated session with token 1.
fn authenticated() -> State {
    State {
        status: Some(Status::Authenticated),
        account: Some(ACCOUNT.into()),
        token: Some(1),
        ..State::default()
    }
}

fn shows(status: Status) -> Seen {
    let account = Some(ACCOUNT.into());
    Seen::Session(View { status, account, first_seen: None, revocable: !status.is_final() })
}

fn refused(code: &'static str) -> Seen {
    Seen::Refused(code)
}

/// A request that was sent and answered at these times.
fn entry(times: (u64, u64), caller: Caller, action: Action, seen: Seen) -> Entry {
    Entry { caller, action, seen, invoked: times.0, responded: times.1 }
}

fn authenticate(times: (u64, u64), token: TokenNumber) -> Entry {
    let action = Action::Authenticate { account: ACCOUNT.into(), token };
    entry(times, Caller::Key, action, shows(Status::Authenticated))
}

fn open(entry: Entry) -> Entry {
    Entry { seen: Seen::Open, responded: u64::MAX, ..entry }
}

fn crash(at: u64) -> Entry {
    entry((at, at), Caller::Key, Action::Crash, Seen::Crashed)
}

#[track_caller]
fn assert_explained(history: &[Entry]) -> State {
    match check(&authenticated(), history) {
        Verdict::Explained(state) => state,
        verdict => panic!("{verdict:?}: {}", describe(&authenticated(), history)),
    }
}

#[track_caller]
fn assert_unexplained(history: &[Entry]) {
    assert_eq!(check(&authenticated(), history), Verdict::Unexplained);
    let smallest = smallest_unexplained(&authenticated(), history);
    assert_eq!(check(&authenticated(), &smallest), Verdict::Unexplained);
}

#[test]
fn a_complete_by_a_token_that_an_acknowledged_authenticate_had_replaced_is_a_wrong_order() {
    let complete = |times| entry(times, Caller::Own(1), Action::Complete, shows(Status::Complete));
    assert_unexplained(&[authenticate((0, 10), 2), complete((20, 30))]);
    // At the same time neither order explains both: after a complete, an authentication is refused.
    assert_unexplained(&[authenticate((0, 30), 2), complete((10, 40))]);
    let late = Entry { seen: refused("invalid_action"), ..authenticate((0, 30), 2) };
    assert_explained(&[late, complete((10, 40))]);
}

#[test]
fn a_live_read_after_an_acknowledged_revoke_is_a_wrong_order() {
    let revoke = entry((0, 10), Caller::Key, Action::Revoke, shows(Status::Revoked));
    let fetch = |times| entry(times, Caller::Key, Action::Fetch, shows(Status::Authenticated));
    assert_unexplained(&[revoke.clone(), fetch((11, 20))]);
    assert_explained(&[revoke.clone(), fetch((9, 20))]);
    let whoami = |times| entry(times, Caller::Own(1), Action::Fetch, shows(Status::Authenticated));
    assert_unexplained(&[revoke.clone(), whoami((11, 20))]);
    let page = Seen::Listed(Some(View {
        status: Status::Authenticated,
        account: Some(ACCOUNT.into()),
        first_seen: None,
        revocable: true,
    }));
    let list = entry((11, 20), Caller::Key, Action::List { account: ACCOUNT.into() }, page);
    assert_unexplained(&[revoke, list]);
}

#[test]
fn of_two_revokes_only_one_makes_the_change() {
    let by = |caller| entry((0, 10), caller, Action::Revoke, shows(Status::Revoked));
    assert_unexplained(&[by(Caller::Key), by(Caller::Own(1))]);
    let counted = |times, revoked| {
        let action = Action::RevokeAccount { account: ACCOUNT.into(), except: None };
        entry(times, Caller::Key, action, Seen::Revoked(Some(revoked)))
    };
    assert_unexplained(&[by(Caller::Key), counted((0, 10), true)]);
    assert_unexplained(&[counted((0, 10), false), counted((5, 15), false)]);
    assert_explained(&[by(Caller::Key), counted((0, 10), false)]);
    assert_explained(&[counted((0, 10), false), counted((5, 15), true)]);
}

#[test]
fn a_refusal_needs_a_state_that_refuses() {
    let gone = entry((0, 10), Caller::Own(1), Action::Fetch, refused("bad_authtoken"));
    assert_unexplained(std::slice::from_ref(&gone));
    assert_explained(&[gone, authenticate((5, 15), 2)]);
    let ended = entry((0, 10), Caller::Key, Action::Revoke, refused("invalid_action"));
    assert_unexplained(&[ended]);
}

#[test]
fn two_first_interactions_cannot_both_be_the_first() {
    let first = |times, name: &str| {
        let seen = Seen::Session(View {
            status: Status::Authenticated,
            account: Some(ACCOUNT.into()),
            first_seen: Some(name.into()),
            revocable: true,
        });
        entry(times, Caller::Key, Action::Interact { user_agent: name.into() }, seen)
    };
    assert_unexplained(&[first((0, 10), "a"), first((0, 10), "b")]);
    assert_explained(&[first((0, 10), "a")]);
}

#[test]
fn after_a_crash_what_was_acknowledged_is_there_and_what_was_not_answered_is_there_or_not() {
    let revoke = entry((0, 10), Caller::Key, Action::Revoke, shows(Status::Revoked));
    let live = |at| entry((at, at), Caller::Key, Action::Fetch, shows(Status::Authenticated));
    let revoked = |at| entry((at, at), Caller::Key, Action::Fetch, shows(Status::Revoked));
    assert_unexplained(&[revoke.clone(), crash(20), live(30)]);
    assert_explained(&[revoke.clone(), crash(20), revoked(30)]);
    assert_explained(&[open(revoke.clone()), crash(20), live(30)]);
    assert_explained(&[open(revoke.clone()), crash(20), revoked(30)]);
    // It is not made after the crash.
    assert_unexplained(&[open(revoke), crash(20), live(30), revoked(40)]);
}

#[test]
fn after_a_crash_an_authentication_without_a_response_may_have_replaced_the_token() {
    let by = |token, at, seen| entry((at, at), Caller::Own(token), Action::Fetch, seen);
    let dead = || refused("bad_authtoken");
    let state = assert_explained(&[open(authenticate((0, 10), 2)), crash(20), by(1, 30, dead())]);
    assert_eq!(state.token, Some(2));
    assert_unexplained(&[authenticate((0, 10), 2), crash(20), by(2, 30, dead())]);
    assert_unexplained(&[authenticate((0, 10), 2), crash(20), by(1, 30, shows(Status::Authenticated))]);
    assert_explained(&[
        authenticate((0, 10), 2),
        crash(20),
        by(1, 30, dead()),
        by(2, 31, shows(Status::Authenticated)),
    ]);
}

#[test]
fn the_search_ends_for_64_requests_at_once() {
    let mut history: Vec<Entry> = (2..14).map(|token| authenticate((0, 100), token)).collect();
    history.extend((0..52).map(|place| {
        let seen = if place % 2 == 0 { refused("bad_authtoken") } else { shows(Status::Authenticated) };
        entry((0, 100), Caller::Own(place % 12 + 1), Action::Fetch, seen)
    }));
    assert_explained(&history);
    // Whatever the order of the authentications, the first of the two tokens is dead when the second is live.
    let by = |token: TokenNumber, at, seen| entry((at, at + 1), Caller::Own(token), Action::Fetch, seen);
    history.extend([by(3, 200, shows(Status::Authenticated)), by(4, 210, shows(Status::Authenticated))]);
    assert_eq!(check(&authenticated(), &history), Verdict::Unexplained);
}

#[test]
fn a_revocation_whose_count_does_not_show_it_may_be_the_one_that_changed_the_session() {
    let action = Action::RevokeAccount { account: ACCOUNT.into(), except: None };
    let revocation = entry((0, 30), Caller::Key, action, Seen::Revoked(None));
    let initial = State { account: None, ..authenticated() };
    let history = [
        revocation,
        authenticate((0, 10), 2),
        entry((11, 40), Caller::Key, Action::Fetch, shows(Status::Revoked)),
    ];
    assert!(matches!(check(&initial, &history), Verdict::Explained(_)));
}

#[test]
fn what_the_reads_after_a_crash_contradict_is_named() {
    let revoke = entry((0, 10), Caller::Key, Action::Revoke, shows(Status::Revoked));
    let fetch = |seen| entry((30, 31), Caller::Key, Action::Fetch, seen);
    let by = |token, seen| entry((32, 33), Caller::Own(token), Action::Whoami, seen);
    let judged = |before: &[Entry], after: &[Entry]| {
        let after = [&[crash(20)], after].concat();
        judge(authenticated(), before.to_vec(), after, Kind::Lost).map_err(|found| found.kind)
    };
    let live = || shows(Status::Authenticated);
    let dead = || refused("bad_authtoken");
    assert_eq!(judged(std::slice::from_ref(&revoke), &[fetch(live())]), Err(Kind::Lost));
    assert_eq!(judged(&[], &[fetch(refused("not_found"))]), Err(Kind::Lost));
    assert_eq!(judged(&[], &[fetch(live()), by(1, dead())]), Err(Kind::Lost));
    let replaced = [authenticate((0, 10), 2)];
    assert_eq!(judged(&replaced, &[fetch(live()), by(1, live())]), Err(Kind::DeadToken));
    assert_eq!(judged(&[revoke.clone(), revoke], &[fetch(shows(Status::Revoked))]), Err(Kind::WrongOrder));
    assert_eq!(judged(&[], &[open(fetch(live()))]), Err(Kind::Other));
    let state = judged(&replaced, &[fetch(live()), by(1, dead()), by(2, live())]);
    assert_eq!(state.map(|state| state.token), Ok(Some(2)));
}

#[test]
fn the_smallest_history_that_is_not_explained_has_only_the_requests_that_contradict_each_other() {
    let fetch = |times, caller, status| entry(times, caller, Action::Fetch, shows(status));
    let revoke = entry((5, 10), Caller::Key, Action::Revoke, shows(Status::Revoked));
    let account: Arc<str> = ACCOUNT.into();
    let history = [
        fetch((0, 1), Caller::Key, Status::Authenticated),
        fetch((2, 3), Caller::Peer(account), Status::Authenticated),
        revoke,
        fetch((11, 20), Caller::Key, Status::Authenticated),
        fetch((21, 22), Caller::Key, Status::Revoked),
    ];
    let smallest = smallest_unexplained(&authenticated(), &history);
    assert_eq!(smallest.len(), 2, "{}", describe(&authenticated(), &smallest));
}
