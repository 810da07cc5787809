//! The demo province's files, as an office and its schools would send them. All names, accounts and
//! tax codes are invented; `cargo run -p hocphi-sandbox --example make_province` writes them anew.

/// A file by its name.
pub type File = (&'static str, &'static [u8]);

/// What one school sends, and what it collects in the month of the demonstration.
pub struct SchoolFiles {
    pub code: &'static str,
    pub roster: File,
    pub fees: File,
    /// Fee items of the round, with months, days or pieces as decimal text.
    pub round: &'static [(&'static str, &'static str)],
}

macro_rules! file {
    ($name:literal) => {
        ($name, include_bytes!($name) as &'static [u8])
    };
}

/// The tree of offices and schools.
pub const UNITS: File = file!("units.csv");
/// Every legal number and registration, with validity and source.
pub const PARAMETERS: File = file!("parameters.csv");

/// A month of a school that keeps its children over noon.
const BOARDING: &[(&str, &str)] = &[
    ("HOCPHI", "1"),
    ("BHYT", "12"),
    ("TIENAN", "22"),
    ("BANTRU", "1"),
    ("NUOC", "1"),
    ("DONGPHUC", "1"),
    ("BHTN", "1"),
];
/// Preschool children are insured by their under-6 card.
const PRESCHOOL: &[(&str, &str)] = &[
    ("HOCPHI", "1"),
    ("TIENAN", "22"),
    ("BANTRU", "1"),
    ("NUOC", "1"),
    ("DONGPHUC", "1"),
    ("BHTN", "1"),
];
const DAY_SCHOOL: &[(&str, &str)] = &[
    ("HOCPHI", "1"),
    ("BHYT", "12"),
    ("NUOC", "1"),
    ("DONGPHUC", "1"),
    ("BHTN", "1"),
];

/// The schools, in the order in which the demonstration loads them.
pub const SCHOOLS: [SchoolFiles; 8] = [
    SchoolFiles {
        code: "MN-HM",
        roster: file!("MN-HM-roster.xlsx"),
        fees: file!("MN-HM-fees.xlsx"),
        round: PRESCHOOL,
    },
    SchoolFiles {
        code: "MN-BN",
        roster: file!("MN-BN-roster.csv"),
        fees: file!("MN-BN-fees.csv"),
        round: PRESCHOOL,
    },
    SchoolFiles {
        code: "TH-HS",
        roster: file!("TH-HS-roster.xlsx"),
        fees: file!("TH-HS-fees.csv"),
        round: BOARDING,
    },
    SchoolFiles {
        code: "TH-SN",
        roster: file!("TH-SN-roster.csv"),
        fees: file!("TH-SN-fees.xlsx"),
        round: BOARDING,
    },
    SchoolFiles {
        code: "CS-DT",
        roster: file!("CS-DT-roster.xlsx"),
        fees: file!("CS-DT-fees.xlsx"),
        round: DAY_SCHOOL,
    },
    SchoolFiles {
        code: "CS-SN",
        roster: file!("CS-SN-roster.csv"),
        fees: file!("CS-SN-fees.csv"),
        round: DAY_SCHOOL,
    },
    SchoolFiles {
        code: "PT-CX",
        roster: file!("PT-CX-roster.xlsx"),
        fees: file!("PT-CX-fees.xlsx"),
        round: DAY_SCHOOL,
    },
    SchoolFiles {
        code: "PT-AS",
        roster: file!("PT-AS-roster.csv"),
        fees: file!("PT-AS-fees.csv"),
        round: DAY_SCHOOL,
    },
];
