//! Writes the demo province into `sandbox/province/`: the files eight schools and their offices
//! would send. All people, schools, accounts and tax codes are invented. The seed is fixed: run it
//! again (`cargo run -p hocphi-sandbox --example make_province`) and nothing changes.

mod fees;
mod names;
mod parameters;
mod roster;
mod schools;
mod table;

use std::error::Error;
use std::path::Path;

use rand::SeedableRng;
use rand::rngs::StdRng;

use table::Shape;

const SEED: u64 = 20_261_124;

fn main() -> Result<(), Box<dyn Error>> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("province");
    std::fs::create_dir_all(&folder)?;
    let mut chance = StdRng::seed_from_u64(SEED);
    schools::units().write(&folder, "units", Shape::CsvComma)?;
    parameters::table().write(&folder, "parameters", Shape::CsvComma)?;
    let mut pupils = 0;
    for (index, school) in schools::SCHOOLS.iter().enumerate() {
        let roster = roster::table(index, school, &mut chance);
        pupils += roster.rows.len();
        roster.write(
            &folder,
            &format!("{}-roster", school.code),
            school.roster_shape,
        )?;
        fees::table(school).write(&folder, &format!("{}-fees", school.code), school.fees_shape)?;
    }
    println!("{pupils} pupils in {}", folder.display());
    Ok(())
}
