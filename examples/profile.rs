//! Reads profiles, which `LoomBuilder::profile` keeps.
//!
//! ```console
//! cargo run --example profile -- hints shop.profile > loom-hints.toml
//! cargo run --example profile -- changes old.profile new.profile
//! ```

use std::path::PathBuf;

use clap::{Parser, Subcommand};

#[derive(Parser)]
#[command(about = "Reads profiles of what functions took")]
struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Prints a file of hints, `loom-hints.toml`, made of a profile.
    Hints { profile: PathBuf },
    /// Prints which functions take longer or shorter in the new profile, with their hints.
    Changes { old: PathBuf, new: PathBuf },
}

fn main() -> loom::Result<()> {
    match Args::parse().command {
        Command::Hints { profile } => print!("{}", loom::hints::from_profile(profile)?),
        Command::Changes { old, new } => {
            let changes = loom::hints::profile_changes(old, new)?;
            if changes.is_empty() {
                println!("no function changed by a quarter or more");
            }
            print!("{changes}");
        }
    }
    Ok(())
}
