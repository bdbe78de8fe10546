//! A program that loads separately built plug-ins, and asks each about a text.
//!
//! `host LIBRARY...`

use std::env;
use std::error::Error;

use interface::{ANSWER, Answer, Reply, Text, VERSION, VERSION_SYMBOL};
use loom::plugin::host::Plugin;
use tokio::sync::oneshot;

const TEXT: &str = include_str!("../../../../README.md");

/// Checks that it is a plug-in of this example, with the interface version of this host.
fn check(plugin: &Plugin) -> Result<(), Box<dyn Error + Send + Sync>> {
    // SAFETY: a plug-in of this example exports a `u32` under this name.
    let version: *const u32 = unsafe { plugin.symbol(VERSION_SYMBOL) }?;
    // SAFETY: the number exists as long as the library is loaded, and is never changed.
    match unsafe { *version } {
        VERSION => Ok(()),
        other => Err(format!("`{}` has interface {other}, not {VERSION}", plugin.name()).into()),
    }
}

/// Asks a plug-in; the answer is awaited like any other.
async fn ask(plugin: &Plugin, text: &str) -> Result<String, Box<dyn Error + Send + Sync>> {
    // SAFETY: by `interface`, each plug-in of this example exports an `Answer` under this name.
    let answer: Answer = unsafe { plugin.symbol(ANSWER) }?;
    let (sender, receiver) = oneshot::channel();
    let reply = Reply::new(move |text| {
        // The receiver may be gone.
        let _ = sender.send(text);
    });
    answer(Text::lend(text), reply);
    receiver.await?.ok_or_else(|| "the plug-in has dropped the request".into())
}

#[loom::main]
async fn main() -> Result<(), Box<dyn Error + Send + Sync>> {
    let runtime = loom::current_runtime().ok_or("below `loom::main` there is one")?;
    let mut plugins = Vec::new();
    for path in env::args_os().skip(1) {
        // SAFETY: the libraries are plug-ins of this example.
        let plugin = unsafe { runtime.load_plugin(path) }?;
        check(&plugin)?;
        plugins.push(plugin);
    }
    if plugins.is_empty() {
        return Err("usage: host LIBRARY... (see `examples/plugins/run`)".into());
    }
    for plugin in &plugins {
        println!("{}: {}", plugin.name(), ask(plugin, TEXT).await?);
    }
    for plugin in runtime.plugins() {
        println!("{plugin}");
    }
    // The plug-ins' servers never end, so waiting for them would hang; the runtime drops them.
    runtime.shutdown_background();
    Ok(())
}
