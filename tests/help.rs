//! The help of `sessiond`. After an intended change, `INSTA_UPDATE=always cargo test -p session-tests help` updates the
//! snapshots.

use session_test_support::command;

#[test]
fn the_help_of_each_command_is_as_it_was() {
    for (name, arguments) in [
        ("sessiond", &["--help"][..]),
        ("serve", &["serve", "--help"]),
        ("key", &["key", "--help"]),
        ("key_create", &["key", "create", "--help"]),
        ("import", &["import", "--help"]),
        ("export", &["export", "--help"]),
        ("events", &["events", "--help"]),
    ] {
        let finished = command(arguments).run();
        assert_eq!((finished.code, finished.stderr.as_str()), (0, ""), "{arguments:?}");
        insta::assert_snapshot!(name, finished.stdout);
    }
}

#[test]
fn a_wrong_command_line_is_refused_with_the_help_that_fixes_it() {
    let finished = command(&["serve", "--port", "8080"]).run();
    assert_eq!((finished.code, finished.stdout.as_str()), (2, ""));
    insta::assert_snapshot!("wrong_flag", finished.stderr);
}

#[test]
fn the_description_that_dropshot_derives_is_printed() {
    let finished = command(&["openapi"]).run();
    assert_eq!(finished.code, 0);
    let document: serde_json::Value = serde_json::from_str(&finished.stdout).unwrap();
    assert_eq!(document["info"]["title"], "Session Service");
    assert!(document["paths"]["/api/v1/session/{session_id}"]["get"].is_object());
}
