//! `hocphi simulate`: many stories under drawn faults, and proof that broken variants are found.

use std::collections::BTreeMap;
use std::process::ExitCode;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Result, anyhow};
use clap::{Args as ClapArgs, ValueEnum};
use hocphi::simulate::{Broken, Counts, Fault, Stage, Story, Violation, play};

/// Lines of a trace that are shown; the cause is near its end.
const TRACE_LINES: usize = 40;
const PROGRESS_EVERY: Duration = Duration::from_secs(10);

/// Mô phỏng tất định: mã thật, lỗi rút theo hạt giống, bất biến kiểm sau mỗi bước.
///
/// Deterministic simulation: real code and SQL under seeded faults, invariants after each step.
#[derive(Debug, ClapArgs)]
pub struct Args {
    /// How many seeds to play; 0 plays until stopped.
    #[arg(long, default_value_t = 10_000)]
    seeds: u64,
    /// The first of them.
    #[arg(long, default_value_t = 1)]
    from: u64,
    /// Plays one seed and prints its trace.
    #[arg(long, conflicts_with_all = ["seeds", "from"])]
    seed: Option<u64>,
    /// A deliberately broken variant that must be found, or `all` for a table of them.
    #[arg(long, value_name = "VARIANT")]
    broken: Option<Variant>,
    /// Seeds played at the same time; as many as there are cores when not given.
    #[arg(long)]
    threads: Option<usize>,
    /// Answer as JSON.
    #[arg(long)]
    json: bool,
}

#[derive(Clone, Copy, Debug)]
enum Variant {
    All,
    One(Broken),
}

impl ValueEnum for Variant {
    fn value_variants<'a>() -> &'a [Self] {
        const VARIANTS: [Variant; Broken::ALL.len() + 1] = {
            let mut variants = [Variant::All; Broken::ALL.len() + 1];
            let mut place = 0;
            while place < Broken::ALL.len() {
                variants[place + 1] = Variant::One(Broken::ALL[place]);
                place += 1;
            }
            variants
        };
        &VARIANTS
    }

    fn to_possible_value(&self) -> Option<clap::builder::PossibleValue> {
        match self {
            Self::All => Some(clap::builder::PossibleValue::new("all")),
            Self::One(broken) => broken.to_possible_value(),
        }
    }
}

/// Seeds in which a broken variant must be found.
const FOUND_WITHIN: u64 = 1_000;

pub fn run(args: Args) -> Result<ExitCode> {
    let threads = args
        .threads
        .unwrap_or_else(|| std::thread::available_parallelism().map_or(1, std::num::NonZero::get));
    let stage = single()?.block_on(Stage::set())?;
    match (args.seed, args.broken) {
        (Some(_), Some(Variant::All)) => Err(anyhow!("--seed plays one variant, not all")),
        (Some(seed), variant) => {
            let broken = match variant {
                Some(Variant::One(broken)) => Some(broken),
                _ => None,
            };
            replay(&stage, seed, broken, args.json)
        }
        (None, None) => {
            let played = play_many(&stage, args.from, args.seeds, None, threads)?;
            let good = played.failed.is_none();
            if args.json {
                println!("{}", serde_json::to_string_pretty(&played.to_json())?);
            } else {
                played.print();
                if let Some(failed) = &played.failed {
                    print_failure(&stage, failed, None)?;
                }
            }
            Ok(exit(good))
        }
        (None, Some(variant)) => {
            let wanted = match variant {
                Variant::All => Broken::ALL.to_vec(),
                Variant::One(broken) => vec![broken],
            };
            find(&stage, &wanted, args.from, threads, args.json)
        }
    }
}

const fn exit(good: bool) -> ExitCode {
    if good {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    }
}

/// One thread: who comes first must not depend on the machine.
fn single() -> Result<tokio::runtime::Runtime> {
    Ok(tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?)
}

/// What many stories came to.
#[derive(Default)]
struct Played {
    seeds: u64,
    steps: u64,
    commits: u64,
    payments: u64,
    invoices: u64,
    simulated: Duration,
    wall: Duration,
    faults: Counts,
    /// The lowest seed that failed.
    failed: Option<Story>,
}

impl Played {
    fn add(&mut self, story: Story) {
        self.seeds += 1;
        self.steps += story.steps;
        self.commits += story.commits;
        self.payments += story.payments;
        self.invoices += story.invoices;
        self.simulated += Duration::from_micros(u64::try_from(story.simulated_micros).unwrap_or(0));
        self.faults.absorb(&story.faults);
        let lower = self
            .failed
            .as_ref()
            .is_none_or(|failed| story.seed < failed.seed);
        if story.violation.is_some() && lower {
            self.failed = Some(story);
        }
    }

    /// Virtual seconds a real second.
    fn speed(&self) -> u64 {
        let ratio = self.simulated.as_micros() / self.wall.as_micros().max(1);
        u64::try_from(ratio).unwrap_or(u64::MAX)
    }

    fn missed(&self) -> Vec<&'static str> {
        self.faults
            .each()
            .filter(|(_, count)| *count == 0)
            .map(|(fault, _)| fault.name())
            .collect()
    }

    fn print(&self) {
        println!(
            "{} hạt giống, {} bước, {} giao dịch ghi, {} khoản thu, {} hóa đơn",
            self.seeds, self.steps, self.commits, self.payments, self.invoices
        );
        println!(
            "{} giờ mô phỏng trong {} giây thật: nhanh gấp {} lần",
            self.simulated.as_secs() / 3_600,
            self.wall.as_secs(),
            self.speed()
        );
        println!();
        for pair in Fault::ALL.chunks(2) {
            for fault in pair {
                print!("{:<24}{:>10}    ", fault.name(), self.faults.of(*fault));
            }
            println!();
        }
        println!();
        let missed = self.missed();
        if !missed.is_empty() {
            println!("chưa gặp lỗi: {}", missed.join(", "));
        }
        if self.failed.is_none() {
            println!("mọi bất biến giữ vững");
        }
    }

    fn to_json(&self) -> serde_json::Value {
        let faults: BTreeMap<&str, u64> = self
            .faults
            .each()
            .map(|(fault, count)| (fault.name(), count))
            .collect();
        serde_json::json!({
            "seeds": self.seeds,
            "steps": self.steps,
            "commits": self.commits,
            "payments": self.payments,
            "invoices": self.invoices,
            "simulated_seconds": self.simulated.as_secs(),
            "wall_millis": u64::try_from(self.wall.as_millis()).unwrap_or(u64::MAX),
            "times_real_time": self.speed(),
            "faults": faults,
            "failed": self.failed.as_ref().map(story_json),
        })
    }
}

fn story_json(story: &Story) -> serde_json::Value {
    serde_json::json!({
        "seed": story.seed,
        "steps": story.steps,
        "simulated_seconds": story.simulated_micros / 1_000_000,
        "payments": story.payments,
        "invoices": story.invoices,
        "violation": story.violation.as_ref().map(|violation| serde_json::json!({
            "invariant": violation.invariant.name(),
            "step": violation.step,
            "at": violation.at.local_iso(),
            "detail": violation.detail,
        })),
        "trace": story.trace,
    })
}

/// Plays seeds on several threads until one fails; without end when `seeds` is 0.
fn play_many(
    stage: &Stage,
    from: u64,
    seeds: u64,
    broken: Option<Broken>,
    threads: usize,
) -> Result<Played> {
    let begun = Instant::now();
    let next = AtomicU64::new(from);
    let stop = AtomicBool::new(false);
    let played = Mutex::new(Played::default());
    let last_word = Mutex::new(Instant::now());
    let lock = |played: &Mutex<Played>, story: Option<Story>| -> u64 {
        let mut played = played
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner);
        if let Some(story) = story {
            played.add(story);
        }
        played.seeds
    };
    std::thread::scope(|scope| {
        let workers: Vec<_> = (0..threads.max(1))
            .map(|_| {
                scope.spawn(|| -> Result<()> {
                    let runtime = single()?;
                    while !stop.load(Ordering::Relaxed) {
                        let seed = next.fetch_add(1, Ordering::Relaxed);
                        if seeds > 0 && seed >= from.saturating_add(seeds) {
                            break;
                        }
                        let story = runtime.block_on(play(stage, seed, broken, false));
                        let story = story.inspect_err(|_| stop.store(true, Ordering::Relaxed))?;
                        if story.violation.is_some() {
                            stop.store(true, Ordering::Relaxed);
                        }
                        let count = lock(&played, Some(story));
                        if broken.is_none()
                            && let Ok(mut said) = last_word.try_lock()
                            && said.elapsed() > PROGRESS_EVERY
                        {
                            *said = Instant::now();
                            eprintln!("{count} hạt giống, {} giây", begun.elapsed().as_secs());
                        }
                    }
                    Ok(())
                })
            })
            .collect();
        for worker in workers {
            worker
                .join()
                .map_err(|_| anyhow!("a simulation ended early"))??;
        }
        Ok::<_, anyhow::Error>(())
    })?;
    let mut played = played
        .into_inner()
        .unwrap_or_else(std::sync::PoisonError::into_inner);
    played.wall = begun.elapsed();
    Ok(played)
}

fn replay(stage: &Stage, seed: u64, broken: Option<Broken>, json: bool) -> Result<ExitCode> {
    let story = single()?.block_on(play(stage, seed, broken, true))?;
    if json {
        println!("{}", serde_json::to_string_pretty(&story_json(&story))?);
    } else {
        for line in &story.trace {
            println!("{line}");
        }
        match &story.violation {
            Some(violation) => print_violation(seed, violation),
            None => println!("hạt giống {seed}: mọi bất biến giữ vững"),
        }
    }
    Ok(exit(story.violation.is_none()))
}

fn print_violation(seed: u64, violation: &Violation) {
    println!(
        "hạt giống {seed}, bước {}, {}: {} không giữ được: {}",
        violation.step,
        violation.at.local_iso(),
        violation.invariant.name(),
        violation.detail
    );
}

/// The end of a failed story, told again, and how to hear it whole.
fn print_failure(stage: &Stage, failed: &Story, broken: Option<Broken>) -> Result<()> {
    let again = single()?.block_on(play(stage, failed.seed, broken, true))?;
    let start = again.trace.len().saturating_sub(TRACE_LINES);
    for line in &again.trace[start..] {
        println!("{line}");
    }
    if let Some(violation) = &failed.violation {
        print_violation(failed.seed, violation);
    }
    if again.violation != failed.violation {
        println!("chạy lại cho kết quả khác: {:?}", again.violation);
    }
    println!("chạy lại: {}", command(failed.seed, broken));
    Ok(())
}

fn command(seed: u64, broken: Option<Broken>) -> String {
    match broken {
        Some(broken) => format!("hocphi simulate --seed {seed} --broken {}", broken.name()),
        None => format!("hocphi simulate --seed {seed}"),
    }
}

/// Looks for each variant in at most [`FOUND_WITHIN`] seeds.
fn find(
    stage: &Stage,
    wanted: &[Broken],
    from: u64,
    threads: usize,
    json: bool,
) -> Result<ExitCode> {
    let mut all_found = true;
    let mut rows = Vec::new();
    if !json {
        println!("{:<28}{:>6}{:>8}  bất biến", "biến thể", "hạt", "bước");
    }
    for broken in wanted {
        let played = play_many(stage, from, FOUND_WITHIN, Some(*broken), threads)?;
        let violation = played
            .failed
            .as_ref()
            .and_then(|story| Some((story.seed, story.violation.as_ref()?)));
        all_found &= violation.is_some();
        if json {
            rows.push(serde_json::json!({
                "variant": broken.name(),
                "seed": violation.map(|(seed, _)| seed),
                "step": violation.map(|(_, violation)| violation.step),
                "invariant": violation.map(|(_, violation)| violation.invariant.name()),
                "detail": violation.map(|(_, violation)| &violation.detail),
            }));
        } else {
            match violation {
                Some((seed, violation)) => println!(
                    "{:<28}{seed:>6}{:>8}  {}: {}",
                    broken.name(),
                    violation.step,
                    violation.invariant.name(),
                    violation.detail
                ),
                None => println!("{:<28}     -       -  không bị phát hiện", broken.name()),
            }
            if wanted.len() == 1
                && let Some(failed) = &played.failed
            {
                print_failure(stage, failed, Some(*broken))?;
            }
        }
    }
    if json {
        println!("{}", serde_json::to_string_pretty(&rows)?);
    }
    Ok(exit(all_found))
}
