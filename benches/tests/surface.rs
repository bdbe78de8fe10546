//! Programs for loom-rs compile against Loom, once the crate's name is changed: each of its public
//! items is here as well, or on a list that says why it is not. The same holds for the methods of
//! tokio's `Runtime` and of its handles of tasks.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;
use syn::{Attribute, Fields, ImplItem, Item, Type, UseTree, Visibility};

/// What is not here, and why; a star stands for all that begins so.
const EXCEPTIONS: &[(&str, &str)] = &[
    ("ArmStats*", "what a scheduler keeps of an arm is its own; `Verdict` tells what it came to"),
    ("KeyStats*", "the same, of a function"),
    ("LoomConfig::new", "a configuration is what a builder made of its sources"),
    ("LoomConfig::effective_*", "its numbers are the effective ones"),
    ("LoomConfig.compute_pool_size", "there is nothing to size: blocks are recycled as needed"),
    ("LoomConfig.pin_threads", "`pin` says more than yes and no"),
    ("LoomConfig.prometheus_registry", "a registry is no setting: the builder has it"),
    ("LoomConfig.simulation_mode", "the simulation feature; time is held by `start_paused`"),
    ("LoomRuntime::is_sim_mode", "the same"),
    ("LoomRuntime::sim_handle", "the same"),
    ("sim_handle", "the same"),
    ("LoomError::*", "errors name the setting or the system's refusal, not the step that failed"),
    ("LoomMetrics::*", "a runtime counts by itself; what is counted are fields, read with `get`"),
    ("MabScheduler::execute_adaptive", "`spawn_adaptive` measures where the function runs"),
    ("MabScheduler::with_metrics", "a runtime's scheduler counts there by itself"),
    ("calibrate", "`LoomBuilder::calibrate` does it, where the pool is"),
    (
        "available_cpus",
        "the setting `cpuset` and `LoomRuntime::effective_cpuset` are the way to it",
    ),
    ("format_cpuset", "the same"),
    ("get_process_affinity_mask", "the same"),
    ("intersect_cpusets", "the same"),
    ("parse_and_validate_cpuset", "the same"),
    ("parse_cpuset", "the same"),
    ("validate_cpuset", "the same"),
];

/// The same for tokio's `Runtime`, which is a [`LoomRuntime`](loom::LoomRuntime) here, and for the
/// handles of tasks, which local tasks have.
const EXCEPTIONS_OF_TOKIO: &[(&str, &str)] = &[
    ("JoinError::id", "the handle that returned the error has the id"),
    ("Runtime", "`LoomRuntime`"),
    ("RuntimeFlavor*", "`TokioFlavor`, a setting; tokio's own is what the handle reports"),
    ("is_rt_shutdown_err", "what it asks about is an error of tokio's own sockets and timers"),
];

/// Public items by name: functions, types, and what belongs to them as `Type::name`, or
/// `Type.field`.
#[derive(Default)]
struct Surface(BTreeSet<String>);

impl Surface {
    fn of(folder: &Path, without: &str) -> Self {
        let mut surface = Self::default();
        surface.folder(folder, without);
        surface
    }

    fn folder(&mut self, folder: &Path, without: &str) {
        if folder.is_file() {
            let text = fs::read_to_string(folder).expect("it is text");
            return self.items(syn::parse_file(&text).expect("it is Rust").items);
        }
        for entry in fs::read_dir(folder).expect("the folder can be read") {
            let path = entry.expect("the entry can be read").path();
            let name = path.file_name().map(|name| name.to_string_lossy().into_owned());
            let name = name.unwrap_or_default();
            if path.is_dir() {
                if name != without {
                    self.folder(&path, without);
                }
            } else if path.extension().is_some_and(|of| of == "rs") && !name.ends_with("tests.rs") {
                let text = fs::read_to_string(&path).expect("it is text");
                let file = syn::parse_file(&text);
                let file = file.unwrap_or_else(|error| panic!("{}: {error}", path.display()));
                self.items(file.items);
            }
        }
    }

    fn items(&mut self, items: Vec<Item>) {
        for item in items {
            match item {
                // What a macro such as `pin_project!` is about is written as an item.
                Item::Macro(of) => {
                    if let Ok(file) = syn::parse2::<syn::File>(of.mac.tokens) {
                        self.items(file.items);
                    }
                }
                Item::Use(of) if is_public(&of.vis) => self.uses(of.tree),
                Item::Fn(of) if is_public(&of.vis) => self.add(of.sig.ident.to_string()),
                Item::Mod(of) if !is_test(&of.attrs) => {
                    self.items(of.content.map(|(_, items)| items).unwrap_or_default());
                }
                Item::Struct(of) if is_public(&of.vis) => {
                    if let Fields::Named(fields) = of.fields {
                        for field in fields.named.iter().filter(|field| is_public(&field.vis)) {
                            let name = field.ident.as_ref().expect("it is named");
                            self.add(format!("{}.{name}", of.ident));
                        }
                    }
                    self.add(of.ident.to_string());
                }
                Item::Enum(of) if is_public(&of.vis) => {
                    for variant in of.variants {
                        self.add(format!("{}::{}", of.ident, variant.ident));
                    }
                    self.add(of.ident.to_string());
                }
                Item::Trait(of) if is_public(&of.vis) => self.add(of.ident.to_string()),
                Item::Impl(of) if of.trait_.is_none() && !is_test(&of.attrs) => {
                    let Type::Path(of_type) = *of.self_ty else { continue };
                    let Some(last) = of_type.path.segments.last() else { continue };
                    for item in of.items {
                        if let ImplItem::Fn(method) = item
                            && is_public(&method.vis)
                        {
                            self.add(format!("{}::{}", last.ident, method.sig.ident));
                        }
                    }
                }
                _ => {}
            }
        }
    }

    /// What is re-exported is there, however it was made.
    fn uses(&mut self, tree: UseTree) {
        match tree {
            UseTree::Path(of) => self.uses(*of.tree),
            UseTree::Name(of) => self.add(of.ident.to_string()),
            UseTree::Rename(of) => self.add(of.rename.to_string()),
            UseTree::Group(of) => of.items.into_iter().for_each(|tree| self.uses(tree)),
            UseTree::Glob(_) => {}
        }
    }

    fn add(&mut self, name: String) {
        self.0.insert(name);
    }
}

fn is_public(visibility: &Visibility) -> bool {
    matches!(visibility, Visibility::Public(_))
}

fn is_test(attributes: &[Attribute]) -> bool {
    attributes.iter().any(|attribute| {
        let is_cfg = attribute.path().is_ident("cfg");
        is_cfg && matches!(&attribute.meta, syn::Meta::List(list) if list.tokens.to_string().contains("test"))
    })
}

/// Where cargo has the sources of a package.
fn sources(package: &str) -> PathBuf {
    let output = Command::new(env!("CARGO"))
        .args(["metadata", "--format-version", "1", "--offline", "--locked"])
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .output()
        .expect("cargo runs");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let metadata: Value = serde_json::from_slice(&output.stdout).expect("it is JSON");
    let packages = metadata["packages"].as_array().expect("a list");
    let manifest = packages.iter().find(|of| of["name"] == package);
    let manifest =
        manifest.and_then(|of| of["manifest_path"].as_str()).expect("it is a dependency");
    Path::new(manifest).parent().expect("a file is in a folder").join("src")
}

#[test]
fn every_public_item_of_the_peer_is_here_or_an_exception() {
    let theirs = Surface::of(&sources("loom-rs"), "sim");
    assert!(theirs.0.len() > 150 && theirs.0.contains("LoomRuntime::spawn_compute"), "it was read");
    check(&theirs, EXCEPTIONS);
}

#[test]
fn every_method_of_tokios_runtime_is_here_or_an_exception() {
    let runtime = sources("tokio").join("runtime");
    let mut theirs = Surface::default();
    for file in ["runtime.rs", "task/join.rs", "task/abort.rs", "task/error.rs"] {
        theirs.folder(&runtime.join(file), "");
    }
    let names = std::mem::take(&mut theirs.0).into_iter();
    let ours_of = |name: String| match name.strip_prefix("Runtime::") {
        Some(method) => format!("LoomRuntime::{method}"),
        None => name,
    };
    theirs.0 = names.map(ours_of).collect();
    assert!(theirs.0.contains("LoomRuntime::block_on") && theirs.0.contains("AbortHandle::abort"));
    check(&theirs, EXCEPTIONS_OF_TOKIO);
}

/// Each name is here or matches an exception, and each exception is needed.
fn check(theirs: &Surface, exceptions: &[(&str, &str)]) {
    // What is inside a type that nobody can name is no surface.
    let ours = Surface::of(&sources("loom-runtime"), "");
    let is_exception = |name: &str, pattern: &str| match pattern.strip_suffix('*') {
        Some(begin) => name.starts_with(begin),
        None => name == pattern,
    };
    let mut used: BTreeMap<&str, usize> = exceptions.iter().map(|(name, _)| (*name, 0)).collect();
    let mut missing = Vec::new();
    for name in theirs.0.difference(&ours.0) {
        match exceptions.iter().find(|(pattern, _)| is_exception(name, pattern)) {
            Some((pattern, _)) => *used.entry(pattern).or_default() += 1,
            None => missing.push(name.as_str()),
        }
    }
    assert!(missing.is_empty(), "neither here nor an exception:\n{}", missing.join("\n"));
    let idle: Vec<_> = used.iter().filter(|(_, uses)| **uses == 0).map(|(name, _)| *name).collect();
    assert!(idle.is_empty(), "exceptions for what is here, or nowhere: {idle:?}");
}
