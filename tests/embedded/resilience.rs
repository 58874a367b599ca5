//! The program `resilience`: what it finds of a server with a fault, and that it finds nothing without one.

use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Command;

use session_test_support::binary;

/// The last line of a run of one part with these arguments: the counts that must be 0, and the exit code.
///
/// With a seed, the instants of the kills and the requests of the first race are always the same.
fn totals(program: &Path, part: &str, arguments: &str) -> (String, Option<i32>) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_resilience"));
    command.arg("--sessiond").arg(program).args(["--part", part]).args(arguments.split_whitespace());
    let output = command.output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    let error = String::from_utf8_lossy(&output.stderr);
    (text.lines().last().unwrap_or(&error).to_owned(), output.status.code())
}

/// How many of these a run found.
fn found(totals: &str, what: &str) -> u64 {
    let part = totals.trim_start_matches("resilience: ").split(", ").find_map(|part| part.strip_suffix(what));
    part.and_then(|count| count.trim().parse().ok()).unwrap_or_else(|| panic!("no count of {what}: {totals}"))
}

#[test]
fn a_server_that_is_as_it_should_be_survives_crashes_and_races() {
    let none =
        "resilience: 0 lost, 0 dead tokens accepted, 0 wrong orders, 0 answers of 500, 0 other failures";
    for part in ["crash", "races"] {
        assert_eq!(totals(binary(), part, "--kills 2 --seconds 3"), (none.to_owned(), Some(0)));
    }
}

#[test]
fn nodes_on_postgresql_that_are_as_they_should_be_survive_kills_and_know_of_each_others_revocations() {
    let none =
        "resilience: 0 lost, 0 dead tokens accepted, 0 wrong orders, 0 answers of 500, 0 other failures";
    for part in ["nodes", "elsewhere"] {
        let totals = totals(binary(), part, "--node-kills 3 --revocations 60");
        assert_eq!(totals, (none.to_owned(), Some(0)));
    }
}

#[test]
fn nodes_with_a_stale_cache_accept_dead_tokens_and_have_wrong_orders() {
    let (totals, code) = totals(binary(), "elsewhere", "--revocations 60 --stale");
    assert!(found(&totals, "dead tokens accepted") > 0 && code == Some(1), "{totals}");
    assert!(found(&totals, "wrong orders") > 0, "{totals}");
}

#[test]
fn a_database_that_acknowledges_what_it_then_forgets_has_lost_it() {
    for part in ["database", "full-log", "standby"] {
        let (totals, code) = totals(binary(), part, "--database-kills 1 --forgetful");
        assert!(found(&totals, "lost") > 0 && code == Some(1), "{part}: {totals}");
    }
}

#[test]
fn a_server_that_accepts_replaced_tokens_accepts_dead_tokens_and_has_wrong_orders() {
    let (totals, code) = totals(binary(), "crash", "--kills 2 --seed 7 --fault replaced-token-accepted");
    assert!(found(&totals, "dead tokens accepted") > 0 && code == Some(1), "{totals}");
    assert!(found(&totals, "wrong orders") > 0, "{totals}");
}

#[test]
fn a_server_that_counts_revocations_that_it_did_not_make_has_wrong_orders() {
    let (totals, code) = totals(binary(), "races", "--seconds 0 --seed 8 --fault count-one-too-high");
    assert!(found(&totals, "wrong orders") > 0 && code == Some(1), "{totals}");
}

#[test]
fn a_server_that_answers_500_is_found() {
    let (totals, code) = totals(binary(), "races", "--seconds 0 --seed 24 --fault not-found-as-500");
    assert!(found(&totals, "answers of 500") > 0 && code == Some(1), "{totals}");
}

/// The program is replaced by a script that starts `sessiond` on the database as it was at the former start.
#[test]
fn a_server_that_forgets_acknowledged_changes_has_lost_them() {
    let folder = tempfile::tempdir().unwrap();
    let forgetful = folder.path().join("sessiond");
    let script = format!(
        "#!/bin/sh\n\
         store=\"${{SESSIOND_STORE#sqlite:}}\"\n\
         if [ \"$1\" = serve ]; then\n\
           if [ -e former ]; then rm -f \"$store\"* \"${{store%/*}}/sessiond.lock\"; cp former \"$store\"; fi\n\
           if [ -e \"$store\" ]; then cp \"$store\" former; fi\n\
         fi\n\
         exec '{}' \"$@\"\n",
        binary().display()
    );
    std::fs::write(
        &forgetful,
        script.replace("former", &format!("'{}'", folder.path().join("former").display())),
    )
    .unwrap();
    std::fs::set_permissions(&forgetful, PermissionsExt::from_mode(0o755)).unwrap();
    let (totals, code) = totals(&forgetful, "crash", "--kills 2 --seed 7");
    assert!(found(&totals, "lost") > 0 && code == Some(1), "{totals}");
}
