//! The crates that `loom-bench macros` has compiled: the same functions, written in four styles.

use std::error::Error;
use std::fmt::Write;
use std::fs;
use std::path::{Path, PathBuf};

use crate::page;

/// How the functions of a crate are written.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Style {
    Plain,
    /// An `async fn` around `spawn_adaptive`.
    Adaptive,
    /// An `async fn` around `spawn_blocking`.
    Blocking,
    Attribute,
}

impl Style {
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Plain => "plain",
            Self::Adaptive => "spawn-adaptive",
            Self::Blocking => "spawn-blocking",
            Self::Attribute => "attribute",
        }
    }

    /// What comes before `fn` of an item, before its body, and after it.
    fn around(self) -> [&'static str; 3] {
        match self {
            Self::Plain => ["pub ", "", ""],
            Self::Adaptive => ["pub async ", "loom::spawn_adaptive(move || ", ").await"],
            Self::Blocking => {
                ["pub async ", "tokio::task::spawn_blocking(move || ", ").await.unwrap()"]
            }
            Self::Attribute => ["#[loom::compute]\npub ", "", ""],
        }
    }
}

/// What a crate is.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// The functions alone.
    Library,
    /// A program that calls each function once.
    Program,
    /// A program that also prints how many bytes those calls have allocated and not given back.
    Counted,
}

impl Kind {
    /// Its source, in the crate's folder.
    pub(super) fn source(self) -> &'static str {
        if self == Self::Library { "src/lib.rs" } else { "src/main.rs" }
    }
}

/// Writes a crate with so many functions.
pub(super) fn write(
    path: &Path,
    kind: Kind,
    style: Style,
    functions: usize,
) -> Result<PathBuf, Box<dyn Error>> {
    let root = page::root()?;
    fs::create_dir_all(path.join("src"))?;
    let manifest = format!(
        "[workspace]\n[package]\nname = \"{}\"\nversion = \"0.0.0\"\nedition = \"2024\"\n\
         [dependencies]\nloom-runtime = {{ path = '{}' }}\n\
         tokio = {{ version = \"1\", features = [\"rt-multi-thread\"] }}\n",
        path.file_name().unwrap_or_default().display(),
        root.join("loom-runtime").display()
    );
    fs::write(path.join("Cargo.toml"), manifest)?;
    fs::copy(root.join("Cargo.lock"), path.join("Cargo.lock"))?;
    let mut code = String::from("pub struct Cart(pub Vec<u32>);\n");
    for n in 0..functions {
        function(&mut code, style, n)?;
    }
    if kind != Kind::Library {
        calls(&mut code, style, functions)?;
        code.push_str(if kind == Kind::Counted { COUNTED } else { MAIN });
    }
    fs::write(path.join(kind.source()), code)?;
    Ok(path.to_owned())
}

/// Writes a function of one of five shapes.
fn function(code: &mut String, style: Style, n: usize) -> std::fmt::Result {
    let [kind, before, after] = style.around();
    match n % 5 {
        0 => writeln!(
            code,
            "{kind}fn f{n}(text: String) -> usize {{ {before} {{\n    let words = \
             text.split(' ').map(str::len);\n    words.filter(|n| *n > {n}).sum()\n}} {after} }}"
        ),
        1 => writeln!(
            code,
            "{kind}fn f{n}(text: String, n: u64) -> Result<u64, std::num::ParseIntError> {{ \
             {before} {{\n    if text.is_empty() {{\n        return Ok(n);\n    }}\n    \
             let parsed: u64 = text.parse()?;\n    Ok(parsed + n)\n}} {after} }}"
        ),
        2 => writeln!(
            code,
            "{kind}fn f{n}<T: ToString + Send + 'static>(items: Vec<T>) -> String {{ {before} {{\n    \
             let items: Vec<String> = items.iter().map(T::to_string).collect();\n    \
             items.join(\",\")\n}} {after} }}"
        ),
        3 => writeln!(
            code,
            "impl Cart {{\n{kind}fn f{n}(self, discount: u32) -> u32 {{ {before} {{\n    \
             self.0.iter().sum::<u32>() - discount\n}} {after} }}\n}}"
        ),
        _ => writeln!(
            code,
            "{kind}fn f{n}((width, height): (u32, u32), mut pixels: Vec<u8>) -> Vec<u8> {{ {before} \
             {{\n    for row in 0..height {{\n        for column in 0..width {{\n            \
             pixels[(row * width + column) as usize] ^= {};\n        }}\n    }}\n    pixels\n}} \
             {after} }}",
            n % 256
        ),
    }
}

/// Writes a function that returns a call of each function.
fn calls(code: &mut String, style: Style, functions: usize) -> std::fmt::Result {
    let wait = if style == Style::Plain { "" } else { ".await" };
    code.push_str(
        "use std::hint::black_box;\nuse std::pin::Pin;\n\
         type Calls = Vec<Pin<Box<dyn Future<Output = ()> + Send>>>;\n\
         fn calls() -> Calls {\n    let mut calls: Calls = Vec::new();\n",
    );
    for n in 0..functions {
        let call = match n % 5 {
            0 => format!("f{n}(black_box(String::from(\"some words\")))"),
            1 => format!("f{n}(black_box(String::from(\"17\")), 4)"),
            2 => format!("f{n}(black_box(vec![1_u16, 2]))"),
            3 => format!("Cart(black_box(vec![7, 8])).f{n}(3)"),
            _ => format!("f{n}((2, 2), black_box(vec![0; 4]))"),
        };
        writeln!(code, "    calls.push(Box::pin(async {{ let _ = black_box({call}{wait}); }}));")?;
    }
    code.push_str("    calls\n}\n");
    Ok(())
}

const MAIN: &str = "
#[loom::main(tokio_threads = 1, rayon_threads = 1)]
async fn main() {
    for call in calls() {
        call.await;
    }
}
";

const COUNTED: &str = r#"
use std::alloc::{GlobalAlloc, Layout, System};
use std::sync::atomic::{AtomicUsize, Ordering};

static LIVE: AtomicUsize = AtomicUsize::new(0);
struct Counting;
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        LIVE.fetch_add(layout.size(), Ordering::Relaxed);
        unsafe { System.alloc(layout) }
    }
    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        LIVE.fetch_sub(layout.size(), Ordering::Relaxed);
        unsafe { System.dealloc(block, layout) }
    }
}
#[global_allocator]
static COUNTING: Counting = Counting;

#[loom::main(tokio_threads = 1, rayon_threads = 1)]
async fn main() {
    // What the runtime itself allocates for its first call is not counted.
    loom::spawn_compute(|| ()).await;
    let calls = calls();
    let futures: usize = calls.iter().map(|call| size_of_val(&**call)).sum();
    let before = LIVE.load(Ordering::Relaxed) - futures - calls.capacity() * 16;
    for call in calls {
        call.await;
    }
    println!("{}", LIVE.load(Ordering::Relaxed).saturating_sub(before));
}
"#;
