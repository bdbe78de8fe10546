//! The program that loads the tests' plug-ins and runs every case in a process of its own.
//!
//! `plugin-host FOLDER ROUNDS` runs all of them, `plugin-host FOLDER CASE PLUGINS` one.

mod cases;
mod supervise;

use std::env;
use std::path::PathBuf;
use std::process::ExitCode;

fn main() -> ExitCode {
    let arguments: Vec<String> = env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match *arguments.as_slice() {
        [folder, rounds] => match rounds.parse() {
            Ok(rounds) => supervise::all(&PathBuf::from(folder), rounds),
            Err(error) => {
                eprintln!("`{rounds}` is no number of rounds: {error}");
                ExitCode::from(2)
            }
        },
        [folder, case, plugins] => cases::run(&PathBuf::from(folder), case, plugins),
        _ => {
            eprintln!("usage: plugin-host FOLDER ROUNDS | FOLDER CASE PLUGINS");
            ExitCode::from(2)
        }
    }
}
