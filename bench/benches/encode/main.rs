//! What making a JPEG costs, and what a rendition: Eyelid beside bare loops around libjpeg-turbo,
//! which are the limit. Counted is the thread's CPU time.
//!
//! `bench/run encode` and `bench/run renditions` put the tables that are printed last into
//! `docs/performance.md`. What follows `cargo bench --bench encode --` is criterion's: a part of a
//! name, `--save-baseline`, ...

mod bare;
mod encoders;
mod renditions;
mod table;
mod timing;

use std::time::Duration;

use criterion::Criterion;

fn main() -> anyhow::Result<()> {
    if renditions::is_print_kept()? {
        return Ok(());
    }
    let mut criterion = Criterion::default()
        .without_plots()
        .warm_up_time(Duration::from_secs(1))
        .measurement_time(Duration::from_secs(4))
        .configure_from_args();
    let tables = [
        (encoders::HEAD, encoders::measure(&mut criterion)?),
        (renditions::HEAD, renditions::measure(&mut criterion)?),
    ];
    criterion.final_summary();
    // Of what criterion was told to leave out, there are no rows.
    for (head, rows) in tables.iter().filter(|(_, rows)| !rows.is_empty()) {
        println!("\n{head}{rows}");
    }
    Ok(())
}
