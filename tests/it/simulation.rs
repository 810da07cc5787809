//! A short run of the simulation, and proof that it can fail.

use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};

use hocphi::simulate::{Broken, Counts, Stage, Story, play};

/// A minute or two on two cores without optimisation; `tests/run` plays more with the program.
const SEEDS: u64 = 300;
/// As many for each broken variant at most.
const SEEDS_OF_A_VARIANT: u64 = 1_000;

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .expect("a runtime")
}

fn stage() -> Stage {
    runtime().block_on(Stage::set()).expect("the stage")
}

fn story(stage: &Stage, seed: u64, broken: Option<Broken>, traced: bool) -> Story {
    runtime()
        .block_on(play(stage, seed, broken, traced))
        .expect("a story")
}

/// Does something with every number up to a last one, on all cores.
fn on_all_cores(last: u64, work: impl Fn(u64) + Sync) {
    let next = AtomicU64::new(1);
    let threads = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    std::thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| {
                loop {
                    let number = next.fetch_add(1, Ordering::Relaxed);
                    if number > last {
                        break;
                    }
                    work(number);
                }
            });
        }
    });
}

#[test]
fn hundreds_of_stories_under_every_fault_keep_every_promise() {
    let stage = stage();
    let faults = Mutex::new(Counts::default());
    on_all_cores(SEEDS, |seed| {
        let story = story(&stage, seed, None, false);
        assert_eq!(
            story.violation, None,
            "again: hocphi simulate --seed {seed}"
        );
        faults.lock().expect("no panic").absorb(&story.faults);
    });
    let faults = faults.into_inner().expect("no panic");
    let missed: Vec<_> = faults.each().filter(|(_, count)| *count == 0).collect();
    assert!(missed.is_empty(), "never met: {missed:?}");
}

#[test]
fn every_broken_variant_is_found() {
    let stage = stage();
    let found = Mutex::new(Vec::new());
    on_all_cores(Broken::ALL.len() as u64, |number| {
        let place = usize::try_from(number - 1).expect("a place");
        let broken = Broken::ALL[place];
        let seed = (1..=SEEDS_OF_A_VARIANT).find(|seed| {
            story(&stage, *seed, Some(broken), false)
                .violation
                .is_some()
        });
        found.lock().expect("no panic").push((broken.name(), seed));
    });
    let found = found.into_inner().expect("no panic");
    assert!(found.iter().all(|(_, seed)| seed.is_some()), "{found:?}");
}

#[test]
fn a_seed_tells_the_same_story_again() {
    // Also on books made anew, whose keys and certificates are others.
    let (one, other) = (stage(), stage());
    for seed in [7, 42] {
        let told = story(&one, seed, None, true);
        assert!(told.steps > 20 && !told.trace.is_empty());
        assert_eq!(told, story(&one, seed, None, true));
        assert_eq!(told, story(&other, seed, None, true));
    }
    let broken = Some(Broken::AllocationLosesDong);
    assert_eq!(story(&one, 1, broken, true), story(&other, 1, broken, true));
}
