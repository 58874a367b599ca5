//! `sessiond-faulty`: `sessiond` with the one fault that `SESSIOND_FAULT` names, for the tests to be tested by.

use std::process::ExitCode;

use session_server::fault;

fn main() -> ExitCode {
    if std::env::args().any(|argument| argument == "--list-faults") {
        #[expect(clippy::print_stdout, reason = "what the flag is for")]
        for name in fault::NAMES {
            println!("{name}");
        }
        return ExitCode::SUCCESS;
    }
    let name = std::env::var("SESSIOND_FAULT").unwrap_or_default();
    if !fault::choose(&name) {
        #[expect(clippy::print_stderr, reason = "the one line that says why the program ends")]
        {
            eprintln!("sessiond-faulty: SESSIOND_FAULT must name one of --list-faults; {name:?} is none");
        }
        return ExitCode::from(2);
    }
    session_server::cli::main()
}
