//! Which module of a crate names an item of which other, read from its sources through `syn`.
//!
//! A name is followed through re-exports to the module that defines the item, so an arrow goes to
//! the code that is used and not to the file that passes it on. Code that only tests have is left
//! out. Methods are not seen: an arrow stands for a path, as in a `use`, a type or a call.

use std::collections::{BTreeMap, BTreeSet};

use proc_macro2::{Delimiter, TokenStream, TokenTree};
use syn::visit::{self, Visit};
use syn::{Attribute, File, Item, Meta, UseTree, Visibility};

/// A module's path below the crate's root, which is the empty one.
pub(crate) type Path = Vec<String>;

/// The modules of a crate, and the arrows between them.
#[derive(Default)]
pub(crate) struct Modules {
    pub(crate) all: BTreeMap<Path, Module>,
    /// Macros that are exported by name, whichever module defines them.
    exported_macros: BTreeMap<String, Path>,
}

#[derive(Default)]
pub(crate) struct Module {
    /// The file it stands in, below the crate's `src`.
    pub(crate) file: String,
    /// What it defines.
    items: BTreeSet<String>,
    /// What it calls by a name of its own: the name, the path, and whether it passes it on.
    names: BTreeMap<String, (Path, bool)>,
    /// Paths that end in `*`.
    globs: Vec<Path>,
    /// Every path that its code has, but for those of `use`.
    mentions: BTreeSet<Path>,
}

impl Modules {
    /// Reads a crate from its files, each with its path below `src`, beginning with `root`.
    pub(crate) fn read(root: &str, files: &BTreeMap<String, String>) -> Self {
        let mut modules = Self::default();
        modules.read_file(Path::new(), root, files);
        modules
    }

    fn read_file(&mut self, path: Path, file: &str, files: &BTreeMap<String, String>) {
        let text = files.get(file).unwrap_or_else(|| panic!("there is no file `{file}`"));
        let parsed: File = syn::parse_file(text).unwrap_or_else(|error| panic!("{file}: {error}"));
        self.read_items(path, file, &parsed.items, files);
    }

    fn read_items(
        &mut self,
        path: Path,
        file: &str,
        items: &[Item],
        files: &BTreeMap<String, String>,
    ) {
        let mut module = Module { file: file.to_owned(), ..Module::default() };
        for item in items.iter().filter(|item| !is_of_tests(attributes(item))) {
            match item {
                Item::Mod(child) => {
                    let mut below = path.clone();
                    below.push(child.ident.to_string());
                    if let Some((_, items)) = &child.content {
                        self.read_items(below, file, items, files);
                    } else {
                        let file = file_of(file, &child.attrs, &child.ident.to_string(), files);
                        // A file that another package shares is in none of this package's rooms.
                        if !file.starts_with("..") {
                            self.read_file(below, &file, files);
                        }
                    }
                }
                Item::Use(item) => {
                    let passes_on = !matches!(item.vis, Visibility::Inherited);
                    let leading = item.leading_colon.is_some();
                    module.bind(&item.tree, &mut Path::new(), passes_on && !leading);
                }
                item => {
                    if let Some(name) = name_of(item) {
                        if is_exported_macro(item) {
                            self.exported_macros.insert(name.clone(), path.clone());
                        }
                        module.items.insert(name);
                    }
                    Mentions(&mut module.mentions).visit_item(item);
                }
            }
        }
        self.all.insert(path, module);
    }

    /// The modules whose items a module names. A module that only passes on what its children
    /// define does not name them.
    pub(crate) fn named_by(&self, from: &Path) -> BTreeSet<&Path> {
        let module = &self.all[from];
        let mut named = BTreeSet::new();
        for (name, (path, passes_on)) in &module.names {
            let is_used = module.mentions.iter().any(|path| path.first() == Some(name));
            let target = self.resolve(from, path);
            let is_below = target.is_some_and(|target| target.starts_with(from));
            if is_used || !passes_on || !is_below {
                named.extend(target);
            }
        }
        // By itself `crate` says how far something is seen, and `self` is a value.
        let is_anchor = |name: &String| ["crate", "self", "super"].contains(&name.as_str());
        let mentions = module.mentions.iter().filter(|path| !path.iter().all(is_anchor));
        for path in mentions.chain(&module.globs) {
            named.extend(self.resolve(from, path));
        }
        named.remove(from);
        named
    }

    /// The module that defines what a path leads to, if it is one of this crate's.
    fn resolve(&self, from: &Path, path: &Path) -> Option<&Path> {
        self.follow(from, path, &mut BTreeSet::new())
    }

    fn follow(&self, from: &Path, path: &Path, seen: &mut BTreeSet<(Path, Path)>) -> Option<&Path> {
        if !seen.insert((from.clone(), path.clone())) {
            return None;
        }
        let mut at = from.clone();
        let mut rest = &path[..];
        let mut is_anchored = false;
        while let Some((first, below)) = rest.split_first() {
            match first.as_str() {
                "crate" | "$crate" => at.clear(),
                "self" => {}
                "super" => drop(at.pop()),
                _ => break,
            }
            is_anchored = true;
            rest = below;
        }
        for (i, name) in rest.iter().enumerate() {
            let module = self.all.get(&at)?;
            let is_last = i + 1 == rest.len();
            let mut child = at.clone();
            child.push(name.clone());
            let is_child = self.all.contains_key(&child);
            if is_last && module.items.contains(name) {
                break;
            }
            if is_child && !is_last {
                at = child;
                is_anchored = true;
                continue;
            }
            // `use a::a` names another crate, or a child.
            let is_own = |path: &Path| path.len() > 1 && path.first() == Some(name);
            match module.names.get(name) {
                Some((path, _)) if !is_own(path) || is_child => {
                    let path: Path = path.iter().chain(&rest[i + 1..]).cloned().collect();
                    return self.follow(&at, &path, seen);
                }
                Some(_) => return None,
                None => {}
            }
            if is_child {
                at = child;
                is_anchored = true;
                continue;
            }
            if module.items.contains(name) {
                break;
            }
            if at.is_empty()
                && let Some(macro_of) = self.exported_macros.get(name)
            {
                at.clone_from(macro_of);
                break;
            }
            let through = module.globs.iter().find_map(|glob| {
                let within = self.follow(&at, glob, seen)?.clone();
                self.follow(&within, &rest[i..].to_vec(), seen)
            });
            if through.is_some() {
                return through;
            }
            // Of another crate, or made by a macro of the module that was named.
            if !is_anchored {
                return None;
            }
            break;
        }
        self.all.get_key_value(&at).map(|(path, _)| path)
    }
}

impl Module {
    fn bind(&mut self, tree: &UseTree, before: &mut Path, passes_on: bool) {
        let mut name = |name: String, path: Path| {
            self.names.insert(name, (path, passes_on));
        };
        match tree {
            UseTree::Path(path) => {
                before.push(path.ident.to_string());
                self.bind(&path.tree, before, passes_on);
                before.pop();
            }
            UseTree::Name(last) if last.ident == "self" => {
                name(before.last().cloned().unwrap_or_default(), before.clone());
            }
            UseTree::Name(last) => {
                let last = last.ident.to_string();
                name(last.clone(), before.iter().cloned().chain([last]).collect());
            }
            UseTree::Rename(last) => {
                let mut path = before.clone();
                if last.ident != "self" {
                    path.push(last.ident.to_string());
                }
                name(last.rename.to_string(), path);
            }
            UseTree::Glob(_) => self.globs.push(before.clone()),
            UseTree::Group(group) => {
                group.items.iter().for_each(|tree| self.bind(tree, before, passes_on));
            }
        }
    }
}

/// Gathers the paths that code has, those within macros' arguments included.
struct Mentions<'a>(&'a mut BTreeSet<Path>);

impl Mentions<'_> {
    /// Sequences of names with `::` between them.
    fn scan(&mut self, tokens: TokenStream) {
        let mut path = Path::new();
        let mut colons = 0;
        for token in tokens {
            match token {
                TokenTree::Punct(punct) if punct.as_char() == ':' => colons += 1,
                TokenTree::Ident(name) => {
                    if colons != 2 {
                        self.end(&mut path);
                    }
                    path.push(name.to_string());
                    colons = 0;
                }
                TokenTree::Group(group) => {
                    if colons == 2 && group.delimiter() == Delimiter::Brace {
                        // A `use` within a macro: each of the group goes on from here.
                        let before = std::mem::take(&mut path);
                        for name in group.stream() {
                            if let TokenTree::Ident(name) = name {
                                let mut path = before.clone();
                                path.push(name.to_string());
                                self.0.insert(path);
                            }
                        }
                    }
                    self.end(&mut path);
                    colons = 0;
                    self.scan(group.stream());
                }
                _ => {
                    self.end(&mut path);
                    colons = 0;
                }
            }
        }
        self.end(&mut path);
    }

    fn end(&mut self, path: &mut Path) {
        if !path.is_empty() {
            self.0.insert(std::mem::take(path));
        }
    }
}

impl<'ast> Visit<'ast> for Mentions<'_> {
    fn visit_path(&mut self, path: &'ast syn::Path) {
        if path.leading_colon.is_none() {
            self.0.insert(path.segments.iter().map(|segment| segment.ident.to_string()).collect());
        }
        visit::visit_path(self, path);
    }

    fn visit_macro(&mut self, call: &'ast syn::Macro) {
        self.scan(call.tokens.clone());
        visit::visit_macro(self, call);
    }

    fn visit_visibility(&mut self, _visibility: &'ast Visibility) {}

    fn visit_attribute(&mut self, _attribute: &'ast Attribute) {}

    fn visit_item_use(&mut self, item: &'ast syn::ItemUse) {
        let mut local = Module::default();
        local.bind(&item.tree, &mut Path::new(), false);
        self.0.extend(local.names.into_values().map(|(path, _)| path));
    }

    fn visit_impl_item_fn(&mut self, item: &'ast syn::ImplItemFn) {
        if !is_of_tests(&item.attrs) {
            visit::visit_impl_item_fn(self, item);
        }
    }
}

/// Where a module without a body stands.
fn file_of(
    parent: &str,
    attrs: &[Attribute],
    name: &str,
    files: &BTreeMap<String, String>,
) -> String {
    let (folder, stem) = parent.rsplit_once('/').unwrap_or(("", parent));
    let within = |name: String| if folder.is_empty() { name } else { format!("{folder}/{name}") };
    let path = attrs.iter().find(|attr| attr.path().is_ident("path"));
    if let Some(Meta::NameValue(path)) = path.map(|attr| &attr.meta)
        && let syn::Expr::Lit(syn::ExprLit { lit: syn::Lit::Str(path), .. }) = &path.value
    {
        return within(path.value());
    }
    let stem = stem.trim_end_matches(".rs");
    let below =
        if ["mod", "lib", "main"].contains(&stem) { String::new() } else { format!("{stem}/") };
    let candidates = [within(format!("{below}{name}.rs")), within(format!("{below}{name}/mod.rs"))];
    let found = candidates.iter().find(|file| files.contains_key(*file)).cloned();
    found.unwrap_or_else(|| panic!("`mod {name}` of {parent} has no file"))
}

/// Whether code is there for tests alone.
fn is_of_tests(attrs: &[Attribute]) -> bool {
    attrs.iter().any(|attr| {
        let Meta::List(list) = &attr.meta else { return false };
        let condition = list.tokens.to_string().replace(' ', "");
        attr.path().is_ident("cfg") && (condition == "test" || condition.starts_with("all(test,"))
    })
}

fn attributes(item: &Item) -> &[Attribute] {
    match item {
        Item::Const(item) => &item.attrs,
        Item::Enum(item) => &item.attrs,
        Item::Fn(item) => &item.attrs,
        Item::Impl(item) => &item.attrs,
        Item::Macro(item) => &item.attrs,
        Item::Mod(item) => &item.attrs,
        Item::Static(item) => &item.attrs,
        Item::Struct(item) => &item.attrs,
        Item::Trait(item) => &item.attrs,
        Item::Type(item) => &item.attrs,
        Item::Union(item) => &item.attrs,
        Item::Use(item) => &item.attrs,
        _ => &[],
    }
}

fn name_of(item: &Item) -> Option<String> {
    let name = match item {
        Item::Const(item) => &item.ident,
        Item::Enum(item) => &item.ident,
        Item::Fn(item) => &item.sig.ident,
        Item::Macro(item) => item.ident.as_ref()?,
        Item::Static(item) => &item.ident,
        Item::Struct(item) => &item.ident,
        Item::Trait(item) => &item.ident,
        Item::Type(item) => &item.ident,
        Item::Union(item) => &item.ident,
        _ => return None,
    };
    Some(name.to_string())
}

fn is_exported_macro(item: &Item) -> bool {
    matches!(item, Item::Macro(_))
        && attributes(item).iter().any(|attr| attr.path().is_ident("macro_export"))
}
