//! Failures that are the machine's and not ours: they pass when the disk, the server or the network
//! is well again, so callers answer "come again" and go on without a restart.

use std::fmt;

/// What is wrong with the database's surroundings.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Trouble {
    /// The server is stopped, starting, or behind a broken network; or every connection is taken.
    Unreachable,
    /// Nothing more fits on the disk.
    DiskFull,
    /// The disk, or the server (a standby), takes no writes.
    ReadOnly,
    /// The disk answers with errors.
    Disk,
}

impl Trouble {
    /// Stable, for logs and for programs.
    pub const fn code(self) -> &'static str {
        match self {
            Self::Unreachable => "database_unreachable",
            Self::DiskFull => "database_disk_full",
            Self::ReadOnly => "database_read_only",
            Self::Disk => "database_disk_error",
        }
    }

    pub(super) fn of(error: &sqlx::Error) -> Option<Self> {
        match error {
            sqlx::Error::Io(_)
            | sqlx::Error::Tls(_)
            | sqlx::Error::PoolTimedOut
            | sqlx::Error::PoolClosed
            | sqlx::Error::WorkerCrashed => Some(Self::Unreachable),
            sqlx::Error::Database(error) => Self::of_code(error.code()?.as_ref()),
            _ => None,
        }
    }

    /// PostgreSQL's SQLSTATE has five places; SQLite's extended result codes have fewer.
    fn of_code(code: &str) -> Option<Self> {
        if code.len() == 5 {
            return match code {
                "53100" => Some(Self::DiskFull),
                "25006" => Some(Self::ReadOnly),
                // Ended by an administrator, by a crash of another back end, still starting.
                "57P01" | "57P02" | "57P03" => Some(Self::Unreachable),
                _ => match &code[..2] {
                    "08" | "53" => Some(Self::Unreachable),
                    "58" => Some(Self::Disk),
                    _ => None,
                },
            };
        }
        match code.parse::<u32>().ok()? & 0xff {
            13 => Some(Self::DiskFull),
            8 => Some(Self::ReadOnly),
            // Input or output failed, and a file that cannot be opened.
            10 | 14 => Some(Self::Disk),
            _ => None,
        }
    }
}

impl fmt::Display for Trouble {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.code())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_of_both_engines_are_told_apart() {
        for (code, trouble) in [
            ("13", Some(Trouble::DiskFull)),
            ("8", Some(Trouble::ReadOnly)),
            ("1544", Some(Trouble::ReadOnly)),
            ("778", Some(Trouble::Disk)),
            ("14", Some(Trouble::Disk)),
            ("5", None),
            ("2067", None),
            ("53100", Some(Trouble::DiskFull)),
            ("53300", Some(Trouble::Unreachable)),
            ("25006", Some(Trouble::ReadOnly)),
            ("57P01", Some(Trouble::Unreachable)),
            ("57014", None),
            ("08006", Some(Trouble::Unreachable)),
            ("58030", Some(Trouble::Disk)),
            ("23505", None),
            ("40001", None),
        ] {
            assert_eq!(Trouble::of_code(code), trouble, "{code}");
        }
    }
}
