//! What the crate that is being compiled calls this library: its own name, or the one that a `Cargo.toml` gives it by
//! `package = "cacheado"`.
//!
//! Reads just as much TOML as that takes: which key has which text. A crate that reads all of it would be eight crates of every
//! user's build.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::{LazyLock, Mutex, PoisonError};
use std::time::SystemTime;
use std::{env, fs};

/// The package's name.
const PACKAGE: &str = "cacheado";

/// What each manifest calls it, and when that was last changed: the compiler has one manifest, an editor's server many.
static NAMES: LazyLock<Mutex<HashMap<PathBuf, (SystemTime, String)>>> =
    LazyLock::new(Mutex::default);

/// The name of the library in the crate that is being compiled.
pub(crate) fn name_of_library() -> String {
    let found = env::var_os("CARGO_MANIFEST_DIR").and_then(|folder| {
        let manifest = Path::new(&folder).join("Cargo.toml");
        let changed = fs::metadata(&manifest)
            .and_then(|meta| meta.modified())
            .ok()?;
        let mut names = NAMES.lock().unwrap_or_else(PoisonError::into_inner);
        match names.get(&manifest) {
            Some((then, name)) if *then == changed => Some(name.clone()),
            _ => {
                let name = read(&manifest)?;
                names.insert(manifest, (changed, name.clone()));
                Some(name)
            }
        }
    });
    // a build without a manifest
    found.unwrap_or_else(|| String::from(PACKAGE))
}

fn read(manifest: &Path) -> Option<String> {
    let keys = Keys::of(&fs::read_to_string(manifest).ok()?);
    let name = keys.renamed(|| {
        let folders = manifest.ancestors().skip(1);
        let mut roots = folders.filter_map(|folder| {
            let keys = Keys::of(&fs::read_to_string(folder.join("Cargo.toml")).ok()?);
            keys.is_workspace().then_some(keys)
        });
        roots.next()
    });
    // its own tests, examples and documentation are outside of it as well
    Some(
        name.unwrap_or_else(|| String::from(PACKAGE))
            .replace('-', "_"),
    )
}

/// Every key of a manifest, with all that it stands in, and its value if that is a text or a word.
struct Keys(Vec<(Vec<String>, String)>);

impl Keys {
    fn of(text: &str) -> Self {
        let mut reader = Reader {
            rest: text,
            found: Vec::new(),
        };
        reader.document();
        Keys(reader.found)
    }

    fn is_workspace(&self) -> bool {
        self.0.iter().any(|(path, _)| path[0] == "workspace")
    }

    /// The dependency that is this library, if it has another name. `root`: the manifest of the workspace.
    fn renamed(&self, root: impl FnOnce() -> Option<Keys>) -> Option<String> {
        let dependency = |path: &[String]| match path {
            [.., table, name, _] if table == "dependencies" || table == "dev-dependencies" => {
                Some(name.clone())
            }
            _ => None,
        };
        let mut inherited = Vec::new();
        for (path, value) in &self.0 {
            let Some(name) = dependency(path).filter(|_| path[0] != "workspace") else {
                continue;
            };
            match path.last().map(String::as_str) {
                Some("package") if value == PACKAGE => return Some(name),
                Some("workspace") if name != PACKAGE => inherited.push(name),
                _ => {}
            }
        }
        if inherited.is_empty() {
            return None;
        }
        let names = root()?.0.into_iter().filter(|(path, value)| {
            path[0] == "workspace"
                && path.last().is_some_and(|key| key == "package")
                && value == PACKAGE
        });
        let mut names = names.filter_map(|(path, _)| dependency(&path));
        names.find(|name| inherited.contains(name))
    }
}

/// A reader of TOML. What it doesn't understand it steps over.
struct Reader<'a> {
    rest: &'a str,
    found: Vec<(Vec<String>, String)>,
}

impl Reader<'_> {
    fn document(&mut self) {
        let mut table = Vec::new();
        loop {
            self.space(true);
            if self.rest.is_empty() {
                return;
            }
            if self.eat("[") {
                self.eat("[");
                table = self.key();
                self.line();
            } else {
                self.pair(&table);
                self.line();
            }
        }
    }

    /// `a.b = value`
    fn pair(&mut self, table: &[String]) {
        let path = [table, &self.key()].concat();
        self.space(false);
        if self.eat("=") {
            self.value(&path);
        }
    }

    /// `a."b".c`
    fn key(&mut self) -> Vec<String> {
        let mut path = Vec::new();
        loop {
            self.space(false);
            match self.text() {
                Some(text) => path.push(text),
                None => path.push(self.word("_-")),
            }
            self.space(false);
            if !self.eat(".") {
                return path;
            }
        }
    }

    fn value(&mut self, path: &[String]) {
        self.space(true);
        if self.eat("{") {
            self.items("}", |reader| reader.pair(path));
        } else if self.eat("[") {
            let element = [path, &[String::new()]].concat();
            self.items("]", |reader| reader.value(&element));
        } else if let Some(text) = self.text() {
            self.found.push((path.to_vec(), text));
        } else {
            let word = self.word("_-+:.");
            self.found.push((path.to_vec(), word));
        }
    }

    /// What stands between commas, up to `end`.
    fn items(&mut self, end: &str, mut item: impl FnMut(&mut Self)) {
        loop {
            self.space(true);
            if self.eat(end) || self.rest.is_empty() {
                return;
            }
            let before = self.rest.len();
            item(self);
            self.space(true);
            self.eat(",");
            if self.rest.len() == before {
                // no TOML, which Cargo has refused
                self.rest = "";
            }
        }
    }

    /// A text in quotes. Escapes stay as they are: no name has any.
    fn text(&mut self) -> Option<String> {
        let quote = ["\"\"\"", "'''", "\"", "'"]
            .into_iter()
            .find(|quote| self.eat(quote))?;
        let (mut end, bytes) = (0, self.rest.as_bytes());
        while end < bytes.len() && !self.rest[end..].starts_with(quote) {
            let escaped = bytes[end] == b'\\' && quote.starts_with('"');
            end += if escaped { 2 } else { 1 };
            while end < bytes.len() && !self.rest.is_char_boundary(end) {
                end += 1;
            }
        }
        let end = end.min(bytes.len());
        let text = self.rest[..end].to_owned();
        self.rest = self.rest[end..].strip_prefix(quote).unwrap_or("");
        Some(text)
    }

    /// A bare key, or a number, `true`, …, of letters, digits and the `others`.
    fn word(&mut self, others: &str) -> String {
        let part_of = |c: char| c.is_alphanumeric() || others.contains(c);
        let end = self.rest.find(|c| !part_of(c)).unwrap_or(self.rest.len());
        let word = self.rest[..end].to_owned();
        self.rest = &self.rest[end..];
        word
    }

    /// Past spaces and, if `lines`, line ends and comments.
    fn space(&mut self, lines: bool) {
        loop {
            self.rest = self.rest.trim_start_matches([' ', '\t']);
            if !lines {
                return;
            }
            if self.rest.starts_with('#') {
                self.line();
            } else if !(self.eat("\n") || self.eat("\r\n")) {
                return;
            }
        }
    }

    /// Past the end of the line.
    fn line(&mut self) {
        self.rest = self.rest.split_once('\n').map_or("", |(_, rest)| rest);
    }

    fn eat(&mut self, token: &str) -> bool {
        match self.rest.strip_prefix(token) {
            Some(rest) => {
                self.rest = rest;
                true
            }
            None => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn renamed(manifest: &str) -> Option<String> {
        Keys::of(manifest).renamed(|| None)
    }

    #[test]
    fn the_name_that_a_dependency_has() {
        assert_eq!(renamed("[dependencies]\ncacheado = \"1\""), None);
        let ways = [
            "[dependencies]\nlib = { package = \"cacheado\", version = \"1\" }",
            "[package.metadata]\nx = [1.5, -1e3, { y = 1979-05-27T07:32:00.5Z }]\n[dependencies]\nlib = { package = \"cacheado\" }",
            "[dependencies]\nother = \"1\" # lib\nlib = { features = [\n \"a\", # }\n 'b',\n], package = 'cacheado' }",
            "[package]\nname = \"x\"\ndescription = \"\"\"\n[dependencies]\nno = { package = \\\"cacheado\\\" }\"\"\"\n[dev-dependencies.lib]\nversion = '1'\npackage = \"cacheado\"",
            "[dependencies]\r\nlib.version = \"1\"\r\nlib.package = \"cacheado\"\r\n",
            "[target.'cfg(unix)'.dependencies]\n\"lib\" = { package = \"cacheado\" }",
            "dependencies = { lib = { package = \"cacheado\" } }",
        ];
        for way in ways {
            assert_eq!(renamed(way).as_deref(), Some("lib"), "{way}");
        }
    }

    #[test]
    fn what_names_no_dependency() {
        assert_eq!(
            renamed("[dependencies]\nlib = { package = \"cached\" }"),
            None
        );
        assert_eq!(
            renamed("[package.metadata]\nlib = { package = \"cacheado\" }"),
            None
        );
        assert_eq!(
            renamed("# [dependencies]\n# lib = { package = \"cacheado\" }"),
            None
        );
        assert_eq!(
            renamed("[workspace.dependencies]\nlib = { package = \"cacheado\" }"),
            None
        );
    }

    #[test]
    fn a_name_that_the_workspace_gives() {
        let root = || {
            Some(Keys::of(
                "[workspace]\nmembers = [\"a\", \"b\"]\n[workspace.dependencies]\nlib = { package = \"cacheado\" }",
            ))
        };
        let of = |manifest| Keys::of(manifest).renamed(root);
        assert_eq!(
            of("[dependencies]\nlib.workspace = true").as_deref(),
            Some("lib")
        );
        assert_eq!(
            of("[dependencies]\nlib = { workspace = true }").as_deref(),
            Some("lib")
        );
        assert_eq!(of("[dependencies]\nother = { workspace = true }"), None);
        assert_eq!(of("[dependencies]\nlib = \"1\""), None);
    }

    #[test]
    fn no_toml_is_no_endless_loop() {
        for text in [
            "[",
            "a = [",
            "a = { b",
            "a = \"",
            "= = =",
            "a = [ @ ]",
            "\"\\",
            "[dependencies]\nlib = { @",
        ] {
            assert_eq!(renamed(text), None, "{text}");
        }
    }
}
