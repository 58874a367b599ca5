//! `sessiond`: the server, and the commands that act on its store.

use std::process::ExitCode;

fn main() -> ExitCode {
    session_server::cli::main()
}
