//! What a bench answers: figures, what they are compared with, and whether they reach their target.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::Result;

/// One measured figure.
#[derive(Debug, serde::Serialize)]
pub struct Figure {
    name: String,
    value: u64,
    unit: &'static str,
    /// What it is compared with, of the same run.
    #[serde(skip_serializing_if = "Option::is_none")]
    baseline: Option<Baseline>,
    #[serde(skip_serializing_if = "Option::is_none")]
    target: Option<Target>,
}

#[derive(Debug, serde::Serialize)]
struct Baseline {
    name: String,
    value: u64,
    /// Hundredths: 150 is one and a half times the baseline.
    ratio_percent: u64,
}

#[derive(Debug, serde::Serialize)]
struct Target {
    /// In words: what is asked for.
    asked: String,
    reached: bool,
}

impl Figure {
    pub fn new(name: impl Into<String>, value: u64, unit: &'static str) -> Self {
        Self {
            name: name.into(),
            value,
            unit,
            baseline: None,
            target: None,
        }
    }

    /// Compares with a figure of the same run.
    pub fn beside(mut self, name: impl Into<String>, value: u64) -> Self {
        self.baseline = Some(Baseline {
            name: name.into(),
            value,
            ratio_percent: (self.value * 100).checked_div(value).unwrap_or(0),
        });
        self
    }

    /// Asks for so many hundredths of the baseline.
    pub fn at_least_percent(mut self, percent: u64) -> Self {
        let reached = self
            .baseline
            .as_ref()
            .is_some_and(|baseline| baseline.ratio_percent >= percent);
        self.target = Some(Target {
            asked: format!("≥ {}", hundredths(percent)),
            reached,
        });
        self
    }

    /// Asks for no less than `least`, in the figure's unit.
    pub fn at_least(mut self, least: u64) -> Self {
        self.target = Some(Target {
            asked: format!("≥ {least} {}", self.unit),
            reached: self.value >= least,
        });
        self
    }

    /// Asks for no more than `most`, in the figure's unit.
    pub fn at_most(mut self, most: u64) -> Self {
        self.target = Some(Target {
            asked: format!("≤ {most} {}", self.unit),
            reached: self.value <= most,
        });
        self
    }

    fn missed(&self) -> bool {
        self.target.as_ref().is_some_and(|target| !target.reached)
    }
}

fn hundredths(percent: u64) -> String {
    format!("{},{:02}", percent / 100, percent % 100)
}

/// Prints the figures; the exit code tells whether every target is reached.
pub fn report(figures: &[Figure], json: bool) -> Result<ExitCode> {
    if json {
        println!("{}", serde_json::to_string_pretty(figures)?);
    } else {
        print(figures);
    }
    Ok(if figures.iter().any(Figure::missed) {
        ExitCode::FAILURE
    } else {
        ExitCode::SUCCESS
    })
}

fn print(figures: &[Figure]) {
    println!(
        "{:<56} {:>10}      {:<36} {:>8}  {:>6}  mục tiêu",
        "số đo", "giá trị", "đối chiếu", "", "tỷ lệ"
    );
    for figure in figures {
        let mut line = format!(
            "{:<56} {:>10} {:<4}",
            figure.name, figure.value, figure.unit
        );
        let (name, value, ratio) = match &figure.baseline {
            None => (String::new(), String::new(), String::new()),
            Some(baseline) => (
                baseline.name.clone(),
                baseline.value.to_string(),
                hundredths(baseline.ratio_percent),
            ),
        };
        line.push_str(&format!(" {name:<36} {value:>8}  {ratio:>6}"));
        if let Some(target) = &figure.target {
            let verdict = if target.reached {
                "đạt"
            } else {
                "KHÔNG ĐẠT"
            };
            line.push_str(&format!("  {} {verdict}", target.asked));
        }
        println!("{}", line.trim_end());
    }
}

/// A folder that ends with the run.
pub struct Scratch(PathBuf);

impl Scratch {
    /// Inside `base`, or the system's folder for temporary files.
    pub fn inside(base: Option<PathBuf>) -> Result<Self> {
        let base = base.unwrap_or_else(std::env::temp_dir);
        Self::new(base.join(format!("hocphi-bench-{}", std::process::id())))
    }

    pub fn new(path: PathBuf) -> Result<Self> {
        use std::os::unix::fs::PermissionsExt;
        std::fs::create_dir_all(&path)?;
        // The database server runs as another user.
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755))?;
        Ok(Self(path))
    }

    pub fn path(&self) -> &Path {
        &self.0
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        if let Err(error) = std::fs::remove_dir_all(&self.0) {
            tracing::warn!(%error, folder = %self.0.display(), "temporary folder stays");
        }
    }
}
