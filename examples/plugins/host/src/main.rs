//! A program that loads plug-ins, which were built apart, and asks each about a text.
//!
//! `host LIBRARY...`

use std::env;
use std::error::Error;

use interface::{ANSWER, Answer, Reply, Text, VERSION, VERSION_SYMBOL};
use loom::plugin::host::Plugin;
use tokio::sync::oneshot;

const TEXT: &str = include_str!("../../../../README.md");

/// Whether it is a plug-in of this example, as we know it.
fn check(plugin: &Plugin) -> Result<(), Box<dyn Error + Send + Sync>> {
    // SAFETY: under this name a plug-in of this example exports a number.
    let version: *const u32 = unsafe { plugin.symbol(VERSION_SYMBOL) }?;
    // SAFETY: it stays for as long as the library, and nobody changes it.
    match unsafe { *version } {
        VERSION => Ok(()),
        other => Err(format!("`{}` has interface {other}, not {VERSION}", plugin.name()).into()),
    }
}

/// Asks a plug-in; the answer is awaited like any other.
async fn ask(plugin: &Plugin, text: &str) -> Result<String, Box<dyn Error + Send + Sync>> {
    // SAFETY: `interface` says that each plug-in of this example exports that under this name.
    let answer: Answer = unsafe { plugin.symbol(ANSWER) }?;
    let (sender, receiver) = oneshot::channel();
    let reply = Reply::new(move |text| {
        // Whoever asked may have gone.
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
        // SAFETY: they are the libraries of this example.
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
    // What serves for ever is dropped with the runtime; waiting for it would be in vain.
    runtime.shutdown_background();
    Ok(())
}
