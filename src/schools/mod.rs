//! Who exists: the dated tree of education offices and schools, dated parameters, classes, pupils
//! and guardians, and the files all of them come from.
//!
//! Not here: what families owe (`fees`) and who may sign in (`people`).
//!
//! The common change is a new column of a file: add it to the layout at the head of
//! `import/{units,parameters,roster,fees}.rs`, read it in `parse`, write it in `import/store.rs`.

pub mod import;
pub mod pages;
pub mod parameters;
mod store;
pub mod text;
pub mod tree;
mod units;
mod year;

pub use store::{school, school_by_code, unit_by_code};
pub use units::{EducationLevel, Ownership, School, Unit, UnitKind};
pub use year::school_year;
