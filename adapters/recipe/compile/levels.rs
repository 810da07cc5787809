//! Paths of fields to levels of a message.

use std::collections::BTreeMap;

use crate::recipe::message::LEVELS_MAX;
use crate::recipe::plan::{Form, LevelPlan, Ref};

/// Levels of one message, found as its fields are named.
pub(super) struct Levels {
    plans: Vec<LevelPlan>,
    /// Path of each level.
    paths: Vec<String>,
    forms: BTreeMap<String, Form>,
    too_many: bool,
}

impl Levels {
    pub(super) fn new(inside: &BTreeMap<String, Form>, each: Option<&str>) -> Self {
        let mut forms = inside.clone();
        if let Some(each) = each {
            forms.insert(each.to_owned(), Form::List);
        }
        Self {
            plans: Vec::new(),
            paths: Vec::new(),
            forms,
            too_many: false,
        }
    }

    /// Levels that were finished, to name further fields.
    pub(super) fn again(plans: Vec<LevelPlan>) -> Self {
        let mut paths: Vec<String> = Vec::with_capacity(plans.len());
        for plan in &plans {
            let parent = plan.parent.and_then(|parent| paths.get(parent));
            paths.push(match parent {
                Some(parent) if !parent.is_empty() => format!("{parent}.{}", plan.name),
                _ => plan.name.clone(),
            });
        }
        Self {
            plans,
            paths,
            forms: BTreeMap::new(),
            too_many: false,
        }
    }

    pub(super) fn count(&self) -> usize {
        self.plans.len()
    }

    pub(super) const fn too_many(&self) -> bool {
        self.too_many
    }

    pub(super) fn finish(mut self) -> Vec<LevelPlan> {
        self.level("");
        self.plans
    }

    /// The level of an object by its path; the message itself for an empty one.
    pub(super) fn level(&mut self, path: &str) -> usize {
        if let Some(at) = self.paths.iter().position(|known| known == path) {
            return at;
        }
        let (parent, name) = if path.is_empty() {
            (None, "")
        } else {
            let (parent, name) = path.rsplit_once('.').unwrap_or(("", path));
            (Some(self.level(parent)), name)
        };
        if self.plans.len() >= LEVELS_MAX {
            self.too_many = true;
            return 0;
        }
        self.plans.push(LevelPlan {
            parent,
            name: name.to_owned(),
            form: self.forms.get(path).copied().unwrap_or(Form::Object),
        });
        self.paths.push(path.to_owned());
        self.plans.len() - 1
    }

    pub(super) fn field(&mut self, path: &str) -> Ref {
        if let Some(header) = path.strip_prefix('@') {
            let header = match header {
                "status" => ":status".to_owned(),
                other => other.to_ascii_lowercase(),
            };
            return Ref {
                level: 0,
                name: path.to_owned(),
                header: Some(header),
            };
        }
        let (parent, name) = path.rsplit_once('.').unwrap_or(("", path));
        Ref {
            level: self.level(parent),
            name: name.to_owned(),
            header: None,
        }
    }

    pub(super) fn fields(&mut self, paths: &[String]) -> Vec<Ref> {
        paths.iter().map(|path| self.field(path)).collect()
    }
}
