//! The help of `sessiond`. After an intended change, `INSTA_UPDATE=always cargo test -p session-tests help` updates the
//! snapshots.

use session_test_support::command;

/// The words of each command whose help lists it, the program itself first.
fn commands() -> Vec<Vec<String>> {
    let mut commands = vec![Vec::new()];
    let mut next = 0;
    while let Some(words) = commands.get(next).cloned() {
        let help = help(&words);
        let listed = help.split_once("\nCommands:\n").map_or("", |(_, rest)| rest);
        let names = listed.lines().take_while(|line| !line.is_empty()).filter_map(|line| {
            // A line that continues a description is indented further.
            line.strip_prefix("  ").filter(|line| !line.starts_with(' '))?.split_whitespace().next()
        });
        // clap's own command is no command of this program.
        commands.extend(names.filter(|name| *name != "help").map(|name| {
            let mut words = words.clone();
            words.push(name.to_owned());
            words
        }));
        next += 1;
    }
    commands
}

/// The help of the command with these words.
fn help(words: &[String]) -> String {
    let arguments: Vec<&str> = words.iter().map(String::as_str).chain(["--help"]).collect();
    let finished = command(&arguments).run();
    assert_eq!((finished.code, finished.stderr.as_str()), (0, ""), "{arguments:?}");
    finished.stdout
}

#[test]
fn the_help_of_every_command_matches_its_snapshot() {
    let commands = commands();
    let key_create = ["key", "create"].map(str::to_owned);
    assert!(commands.iter().any(|words| *words == key_create), "{commands:?}");
    for words in commands {
        let name = if words.is_empty() { "sessiond".to_owned() } else { words.join("_") };
        insta::assert_snapshot!(name, help(&words));
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
