//! A message with the objects inside it: in JSON, in JSON that is the text of a field, in base64.

use std::borrow::Cow;
use std::cell::OnceCell;

use base64::Engine as _;
use base64::alphabet;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};

use super::fields::{Field, Fields, Value, malformed};
use super::json::Items;
use super::plan::{Duplicates, Form, LevelPlan, Ref, Source};
use crate::contract::{Inbound, Rejection};

/// Objects inside objects that a recipe may name.
pub(super) const LEVELS_MAX: usize = 8;
/// Items of a list; more are an attack.
pub(super) const ITEMS_MAX: usize = 1_000;

/// Texts that were decoded from a message and live as long as it is read.
#[derive(Default)]
pub(super) struct Store {
    texts: [OnceCell<String>; LEVELS_MAX],
}

/// A message taken apart as far as it was asked for.
pub(super) struct Message<'a> {
    pub(super) inbound: &'a Inbound,
    levels: Vec<Fields<'a>>,
}

/// An element of a list.
pub(super) struct Item<'a> {
    /// As it stands in the message.
    pub(super) text: &'a str,
    /// A message whose list level is this element.
    pub(super) message: Result<Message<'a>, Rejection>,
}

impl<'a> Message<'a> {
    /// A message nobody has looked into.
    pub(super) const fn closed(inbound: &'a Inbound) -> Self {
        Self {
            inbound,
            levels: Vec::new(),
        }
    }

    /// Fields of our own.
    pub(super) fn plain(inbound: &'a Inbound, fields: &'a [(String, String)]) -> Self {
        Self {
            inbound,
            levels: vec![Fields::plain(fields)],
        }
    }

    /// Takes apart what is needed for the first `count` levels.
    ///
    /// # Errors
    /// [`Rejection`] when something there has not the form it must have.
    pub(super) fn open(
        &mut self,
        source: Source,
        duplicates: &Duplicates,
        plans: &'a [LevelPlan],
        count: usize,
        store: &'a Store,
    ) -> Result<(), Rejection> {
        for at in self.levels.len()..count {
            let level = match plans.get(at) {
                None | Some(LevelPlan { parent: None, .. }) => {
                    let fields = Fields::read(self.inbound, source)?;
                    fields.refuse_duplicates(duplicates)?;
                    fields
                }
                Some(plan) => {
                    let fields = self.inner(plan, at, store)?;
                    fields.refuse_duplicates(&Duplicates::All)?;
                    self.keep_decoded(plan, at, store);
                    fields
                }
            };
            self.levels.push(level);
        }
        Ok(())
    }

    /// The same, where what cannot be read is empty.
    pub(super) fn open_leniently(
        &mut self,
        source: Source,
        plans: &'a [LevelPlan],
        store: &'a Store,
    ) {
        for at in self.levels.len()..plans.len().max(1) {
            let level = match plans.get(at) {
                None | Some(LevelPlan { parent: None, .. }) => Fields::read(self.inbound, source),
                Some(plan) => self.inner(plan, at, store),
            };
            self.levels.push(level.unwrap_or_default());
        }
    }

    fn inner(
        &self,
        plan: &LevelPlan,
        at: usize,
        store: &'a Store,
    ) -> Result<Fields<'a>, Rejection> {
        let parent = plan.parent.and_then(|parent| self.levels.get(parent));
        let Some(field) = parent.and_then(|parent| parent.get(&plan.name)) else {
            return Ok(Fields::default());
        };
        if plan.form == Form::Object {
            return match field.value {
                Value::Json(raw) if raw.get().starts_with('{') => Fields::json(raw.get()),
                // Null, an empty list for an empty object (PHP), or a plain value: no members.
                Value::Json(_) | Value::Encoded(_) | Value::Plain(_) => Ok(Fields::default()),
            };
        }
        if plan.form == Form::List {
            return Ok(Fields::default());
        }
        let text = match field.text() {
            Ok(Some(text)) if !text.is_empty() => text,
            Ok(_) => return Ok(Fields::default()),
            Err(_) => return Err(malformed(format!("{} is not a text", plan.name))),
        };
        let decoded = match plan.form {
            Form::Base64Json => base64_text(&text)
                .ok_or_else(|| malformed(format!("{} is not base64 of a text", plan.name)))?,
            _ => text.into_owned(),
        };
        let cell = store
            .texts
            .get(at)
            .ok_or_else(|| malformed("the recipe nests too deep"))?;
        Fields::json(cell.get_or_init(|| decoded))
    }

    /// A field that is JSON in a text, decoded once for its object, is as a rule what is signed.
    fn keep_decoded(&mut self, plan: &LevelPlan, at: usize, store: &'a Store) {
        if plan.form == Form::JsonText
            && let Some(text) = store.texts.get(at).and_then(OnceCell::get)
            && let Some(parent) = plan.parent.and_then(|parent| self.levels.get_mut(parent))
        {
            parent.decoded(&plan.name, text);
        }
    }

    /// The elements of a list level.
    ///
    /// # Errors
    /// [`Rejection`] when there is no list.
    pub(super) fn items(
        &self,
        plans: &[LevelPlan],
        list: usize,
    ) -> Result<Vec<Item<'a>>, Rejection> {
        let plan = plans
            .get(list)
            .ok_or_else(|| malformed("the recipe names no list"))?;
        let parent = plan.parent.and_then(|parent| self.levels.get(parent));
        let raw = match parent
            .and_then(|parent| parent.get(&plan.name))
            .map(|f| f.value)
        {
            Some(Value::Json(raw)) => raw.get(),
            _ => return Err(malformed(format!("{} is missing", plan.name))),
        };
        let Items(items) = serde_json::from_str(raw)
            .map_err(|_| malformed(format!("{} is not a list", plan.name)))?;
        if items.len() > ITEMS_MAX {
            return Err(malformed(format!("{} is too long", plan.name)));
        }
        Ok(items
            .into_iter()
            .map(|item| Item {
                text: item.get(),
                message: self.item(item.get(), list),
            })
            .collect())
    }

    fn item(&self, text: &'a str, list: usize) -> Result<Self, Rejection> {
        let fields = Fields::json(text)?;
        fields.refuse_duplicates(&Duplicates::All)?;
        let mut levels = self.levels.clone();
        if let Some(level) = levels.get_mut(list) {
            *level = fields;
        }
        Ok(Self {
            inbound: self.inbound,
            levels,
        })
    }

    /// [`items`](Self::items), none where nothing, null or no list stands.
    ///
    /// # Errors
    /// [`Rejection`] when the list cannot be taken apart.
    pub(super) fn items_if_any(
        &self,
        plans: &[LevelPlan],
        list: usize,
    ) -> Result<Vec<Item<'a>>, Rejection> {
        let plan = plans.get(list);
        let parent = plan.and_then(|plan| self.levels.get(plan.parent?));
        let field = plan.and_then(|plan| parent?.get(&plan.name));
        match field.map(|field| field.value) {
            Some(Value::Json(raw)) if raw.get().starts_with('[') => self.items(plans, list),
            _ => Ok(Vec::new()),
        }
    }

    pub(super) fn level(&self, at: usize) -> Option<&Fields<'a>> {
        self.levels.get(at)
    }

    pub(super) fn get(&self, name: &Ref) -> Option<&Field<'a>> {
        self.levels.get(name.level)?.get(&name.name)
    }

    /// The exact text of the first of these names that stands there and is not empty.
    ///
    /// # Errors
    /// [`Rejection`] naming the field that cannot be read.
    pub(super) fn text(&self, names: &[Ref]) -> Result<Option<Cow<'a, str>>, Rejection> {
        for name in names {
            if let Some(text) = self.text_of(name)? {
                return Ok(Some(text));
            }
        }
        Ok(None)
    }

    #[inline]
    fn text_of(&self, name: &Ref) -> Result<Option<Cow<'a, str>>, Rejection> {
        let text = if let Some(header) = &name.header {
            self.inbound.header(header).map(Cow::Borrowed)
        } else if let Some(field) = self.get(name) {
            field
                .text()
                .map_err(|_| malformed(format!("{} cannot be read", name.name)))?
        } else {
            None
        };
        Ok(text.filter(|text| !text.is_empty()))
    }

    /// The text of a field by its path, as far as its object was taken apart.
    pub(super) fn by_path(&self, plans: &[LevelPlan], path: &str) -> Option<String> {
        let mut level = 0;
        let (objects, name) = path.rsplit_once('.').unwrap_or(("", path));
        for object in objects.split('.').filter(|object| !object.is_empty()) {
            level = plans
                .iter()
                .position(|plan| plan.parent == Some(level) && plan.name == object)?;
        }
        let text = self.levels.get(level)?.get(name)?.text_lossy()?;
        Some(text.into_owned())
    }

    /// Text for people: never fails, and what is not UTF-8 is replaced.
    pub(super) fn shown(&self, names: &[Ref]) -> Option<String> {
        names.iter().find_map(|name| {
            let text = self.get(name)?.text_lossy()?;
            (!text.is_empty()).then(|| text.into_owned())
        })
    }
}

const LENIENT: GeneralPurposeConfig =
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent);
const PLAIN: GeneralPurpose = GeneralPurpose::new(&alphabet::STANDARD, LENIENT);
const URL_SAFE: GeneralPurpose = GeneralPurpose::new(&alphabet::URL_SAFE, LENIENT);

/// Base64 in either alphabet, with or without padding; form decoding may have turned `+` into a
/// space.
fn base64_text(text: &str) -> Option<String> {
    let packed = text.trim().replace(' ', "+");
    let engine = if packed.contains(['-', '_']) {
        URL_SAFE
    } else {
        PLAIN
    };
    String::from_utf8(engine.decode(packed).ok()?).ok()
}
