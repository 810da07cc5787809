//! The records of the tree.

use serde::{Deserialize, Serialize};

use crate::clock::Day;
use crate::ids::{SchoolId, UnitId};
use crate::stored_as_text;

/// What a node of the tree is (school-fees §7). District offices exist in the past only.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum UnitKind {
    Department,
    DistrictOffice,
    CommuneOffice,
    School,
}

stored_as_text!(UnitKind {
    Department = "DEPARTMENT",
    DistrictOffice = "DISTRICT_OFFICE",
    CommuneOffice = "COMMUNE_OFFICE",
    School = "SCHOOL",
});

/// The highest level a school teaches.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum EducationLevel {
    Preschool,
    Primary,
    LowerSecondary,
    UpperSecondary,
    Continuing,
}

stored_as_text!(EducationLevel {
    Preschool = "PRESCHOOL",
    Primary = "PRIMARY",
    LowerSecondary = "LOWER_SECONDARY",
    UpperSecondary = "UPPER_SECONDARY",
    Continuing = "CONTINUING",
});

impl EducationLevel {
    /// Grades a school of this highest level may have; 0 stands for preschool. Schools that join
    /// levels (`TH và THCS`) are common, so lower grades are allowed too.
    pub const fn grades(self) -> std::ops::RangeInclusive<i64> {
        match self {
            Self::Preschool => 0..=0,
            Self::Primary => 1..=5,
            Self::LowerSecondary => 1..=9,
            Self::UpperSecondary => 1..=12,
            Self::Continuing => 6..=12,
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Ownership {
    Public,
    Private,
}

stored_as_text!(Ownership {
    Public = "PUBLIC",
    Private = "PRIVATE",
});

/// A node of the tree: department, office or school.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, sqlx::FromRow)]
pub struct Unit {
    pub unit_id: UnitId,
    pub code: String,
    pub name: String,
    pub kind: UnitKind,
    pub valid_from: Day,
    /// First day on which it no longer exists.
    pub valid_to: Option<Day>,
}

/// A school with what bills and invoices print of it.
#[derive(Clone, Debug, PartialEq, Eq, sqlx::FromRow)]
pub struct School {
    pub school_id: SchoolId,
    pub code: String,
    pub name: String,
    pub education_level: EducationLevel,
    pub ownership: Ownership,
    /// Mã số thuế: 10 or 10-3 digits.
    pub tax_code: String,
    /// Mã đơn vị có quan hệ với ngân sách, 7 digits.
    pub budget_unit_code: Option<String>,
    pub address: String,
    pub phone: Option<String>,
    /// Acquirer number of the bank (6 digits), as VietQR wants it.
    pub bank_bin: String,
    pub bank_account: String,
    pub bank_account_name: String,
}

impl School {
    /// The school as a node of the tree.
    pub fn unit_id(&self) -> UnitId {
        UnitId::new(self.school_id.as_str())
    }
}
