//! Which providers there are: those shipped, and folders added by who runs the program.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use aws_lc_rs::digest::{SHA256, digest};

use crate::contract::{Adapter, Standing};
use crate::recipe::{RECIPE_BYTES_MAX, Recipe, RecipeFault};

macro_rules! shipped {
    ($($name:literal),* $(,)?) => {
        /// Folder name, file name in faults, recipe, vectors.
        const SHIPPED: &[(&str, &str, &str, &str)] = &[$((
            $name,
            concat!("adapters/", $name, "/adapter.toml"),
            include_str!(concat!($name, "/adapter.toml")),
            include_str!(concat!($name, "/vectors.json")),
        )),*];
    };
}

shipped!(
    "alepay",
    "bank_bidv",
    "bank_vietinbank",
    "bank_webhook",
    "casso",
    "momo",
    "ninepay",
    "onepay",
    "pay2s",
    "payos",
    "sepay",
    "sepay_pg",
    "shopeepay",
    "vietcombank",
    "viettel_money",
    "vietqr_callback",
    "vnpay",
    "zalopay",
);

/// Where a provider's description came from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Origin {
    /// Part of the program.
    Shipped,
    Folder(PathBuf),
}

/// One usable provider.
#[derive(Clone)]
pub struct Entry {
    /// The provider's name for people.
    pub title: String,
    pub origin: Origin,
    /// SHA-256 of the description, in hex: another digest is another provider.
    pub digest: String,
    pub adapter: Arc<dyn Adapter>,
    switched_on: bool,
}

impl Entry {
    /// Whether connections may use it.
    pub fn is_on(&self) -> bool {
        self.switched_on
            || self.origin != Origin::Shipped
            || self.adapter.profile().standing == Standing::Founded
    }
}

/// All usable providers by name, and what kept others off.
#[derive(Clone, Default)]
pub struct Registry {
    entries: BTreeMap<String, Entry>,
    faults: Vec<RecipeFault>,
}

impl Registry {
    /// The providers that are part of the program.
    pub fn builtin() -> Self {
        let mut registry = Self::default();
        for &(folder, file, text, _) in SHIPPED {
            registry.add(folder, file, text, Origin::Shipped);
        }
        registry
    }

    /// The shipped providers, extended and overridden by the folders of `dir`. A folder with a
    /// mistake keeps only its own provider off, also a shipped one of the same name: falling back
    /// to other rules than the written ones would surprise.
    pub fn load(dir: &Path) -> Self {
        let mut registry = Self::builtin();
        let folders = match folders(dir) {
            Ok(folders) => folders,
            Err(error) => {
                let reason = format!("the folder cannot be read: {error}");
                registry.fault(dir, reason);
                return registry;
            }
        };
        for folder in folders {
            let Some(name) = folder
                .file_name()
                .map(|name| name.to_string_lossy().into_owned())
            else {
                continue;
            };
            let file = folder.join("adapter.toml");
            if name.starts_with('.') {
                continue;
            }
            if !file.exists() {
                registry.fault(&folder, "there is no adapter.toml in it".to_owned());
                continue;
            }
            registry.entries.remove(&name);
            match read(&file) {
                Ok(text) => registry.add(
                    &name,
                    &file.display().to_string(),
                    &text,
                    Origin::Folder(folder),
                ),
                Err(reason) => registry.fault(&file, reason),
            }
        }
        registry
    }

    /// The adapter of this name. An experimental one that is shipped is not there until it is
    /// switched on; a folder of the operator's own is.
    pub fn get(&self, name: &str) -> Option<Arc<dyn Adapter>> {
        let entry = self.entries.get(name)?;
        entry.is_on().then(|| Arc::clone(&entry.adapter))
    }

    /// The entry of this name, whether it is on or not.
    pub fn entry(&self, name: &str) -> Option<&Entry> {
        self.entries.get(name)
    }

    /// The vectors that belong to a provider: those shipped with it, or those of its folder.
    ///
    /// # Errors
    /// The file of a folder cannot be read.
    pub fn vectors(&self, name: &str) -> std::io::Result<Option<Cow<'static, str>>> {
        match self.entries.get(name).map(|entry| &entry.origin) {
            None => Ok(None),
            Some(Origin::Shipped) => Ok(SHIPPED
                .iter()
                .find(|(folder, ..)| *folder == name)
                .map(|(.., vectors)| Cow::Borrowed(*vectors))),
            Some(Origin::Folder(folder)) => match fs::read_to_string(folder.join("vectors.json")) {
                Ok(text) => Ok(Some(Cow::Owned(text))),
                Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
                Err(error) => Err(error),
            },
        }
    }

    /// Switches an experimental provider on. `false` when there is none of this name.
    pub fn switch_on(&mut self, name: &str) -> bool {
        let entry = self.entries.get_mut(name);
        entry.map(|entry| entry.switched_on = true).is_some()
    }

    /// In order of names.
    pub fn entries(&self) -> impl Iterator<Item = (&str, &Entry)> {
        self.entries
            .iter()
            .map(|(name, entry)| (name.as_str(), entry))
    }

    /// Why folders were left out.
    pub fn faults(&self) -> &[RecipeFault] {
        &self.faults
    }

    fn add(&mut self, folder: &str, file: &str, text: &str, origin: Origin) {
        match Recipe::compile(file, text) {
            Ok(recipe) if recipe.name() != folder => {
                let line = text
                    .lines()
                    .position(|line| line.trim_start().starts_with("name"));
                self.faults.push(RecipeFault {
                    file: file.to_owned(),
                    line: line.map_or(1, |line| line + 1),
                    reason: format!(
                        "the name {} is not that of the folder; write name = \"{folder}\" or rename the folder",
                        recipe.name()
                    ),
                });
            }
            Ok(recipe) => {
                let entry = Entry {
                    title: recipe.title().to_owned(),
                    origin,
                    digest: hex::encode(digest(&SHA256, text.as_bytes())),
                    adapter: Arc::new(recipe),
                    switched_on: false,
                };
                self.entries.insert(folder.to_owned(), entry);
            }
            Err(faults) => self.faults.extend(faults),
        }
    }

    fn fault(&mut self, file: &Path, reason: String) {
        self.faults.push(RecipeFault {
            file: file.display().to_string(),
            line: 0,
            reason,
        });
    }
}

fn folders(dir: &Path) -> std::io::Result<Vec<PathBuf>> {
    let mut folders = Vec::new();
    for entry in fs::read_dir(dir)? {
        let path = entry?.path();
        if path.is_dir() {
            folders.push(path);
        }
    }
    folders.sort();
    Ok(folders)
}

fn read(file: &Path) -> Result<String, String> {
    let length = fs::metadata(file).map_err(|error| error.to_string())?.len();
    if length > RECIPE_BYTES_MAX as u64 {
        return Err("the file is too long".to_owned());
    }
    fs::read_to_string(file).map_err(|error| format!("the file cannot be read: {error}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    const VNPAY: &str = include_str!("vnpay/adapter.toml");

    /// A folder of recipes that goes away with the test.
    struct Folder(PathBuf);

    impl Folder {
        fn of(name: &str, recipes: &[(&str, &str)]) -> Self {
            let dir = std::env::temp_dir().join(format!("hocphi-{name}-{}", std::process::id()));
            for (folder, text) in recipes {
                fs::create_dir_all(dir.join(folder)).unwrap();
                fs::write(dir.join(folder).join("adapter.toml"), text).unwrap();
            }
            Self(dir)
        }
    }

    impl Drop for Folder {
        fn drop(&mut self) {
            let _leftover = fs::remove_dir_all(&self.0);
        }
    }

    #[test]
    fn folders_add_and_override_providers_and_a_mistake_keeps_off_only_its_own() {
        let other = VNPAY.replace("name = \"vnpay\"", "name = \"vnpay_b\"");
        let folder = Folder::of(
            "registry",
            &[
                ("vnpay_b", &other),
                ("sepay", "recipe = 1\nname = sepay\n"),
                ("misnamed", VNPAY),
            ],
        );
        fs::create_dir_all(folder.0.join("empty")).unwrap();
        fs::create_dir_all(folder.0.join(".git")).unwrap();
        let registry = Registry::load(&folder.0);
        let names: Vec<_> = registry.entries().map(|(name, _)| name).collect();
        assert!(names.contains(&"vnpay") && names.contains(&"vnpay_b"));
        assert!(!names.contains(&"sepay"), "{names:?}");
        let faults: Vec<_> = registry.faults().iter().map(ToString::to_string).collect();
        assert_eq!(faults.len(), 3, "{faults:?}");
        assert!(
            faults[0].contains("/empty: there is no adapter.toml"),
            "{faults:?}"
        );
        assert!(
            faults[1].contains("misnamed/adapter.toml:4: the name vnpay"),
            "{faults:?}"
        );
        assert!(faults[2].contains("sepay/adapter.toml:2:"), "{faults:?}");
        let absent = Registry::load(&folder.0.join("absent"));
        assert_eq!(absent.entries().count(), SHIPPED.len());
        assert_eq!(absent.faults().len(), 1);
    }

    #[test]
    fn experimental_providers_are_off_until_switched_on() {
        let mut registry = Registry::builtin();
        for name in ["pay2s", "shopeepay", "vietcombank", "viettel_money"] {
            assert!(registry.get(name).is_none(), "{name}");
            assert!(registry.entry(name).is_some(), "{name}");
            assert!(registry.switch_on(name) && registry.get(name).is_some());
        }
        assert!(!registry.switch_on("absent"));
        assert_eq!(registry.faults(), []);
    }

    #[test]
    fn mistakes_in_a_recipe_are_told_with_their_lines() {
        let line_of = |needle: &str| {
            1 + VNPAY
                .lines()
                .position(|line| line.contains(needle))
                .unwrap()
        };
        for (part, instead, line, reason) in [
            ("\"hmac-sha512\"", "\"md9\"", "digest =", "unknown variant"),
            ("source =", "sauce =", "source =", "unknown field"),
            (
                "\"vnp_SecureHash\", ",
                "",
                "[[message.ipn.proof]]",
                "which carries it",
            ),
            (
                "signature = \"redirect\"\ncarried",
                "signature = \"x\"\ncarried",
                "[[message.ipn.proof]]",
                "signature.x",
            ),
            (
                "is = \"failed\"",
                "is = \"paid\"",
                "is = \"failed\"",
                "never a payment",
            ),
            (
                "when = [\"00\", \"00\"]",
                "when = [\"00\"]",
                "when = [\"00\", \"00\"]",
                "one text for each code",
            ),
            (
                "returns = true",
                "returns = false",
                "[capability]",
                "returns",
            ),
            (
                "[acknowledge.temporary]\nstatus = 200\ncontent_type = \"application/json\"\nbody = '{\"RspCode\":\"99\",\"Message\":\"Temporarily unavailable\"}'",
                "",
                "[acknowledge.accepted]",
                "no answer for temporary",
            ),
        ] {
            assert!(VNPAY.contains(part), "{part}");
            let faults = Recipe::compile("f", &VNPAY.replacen(part, instead, 1)).expect_err(part);
            assert!(faults[0].reason.contains(reason), "{part}: {faults:?}");
            assert_eq!(faults[0].line, line_of(line), "{faults:?}");
        }
    }
}
