//! What cargo alone cannot: `cargo xtask ci|bless|bench`.
//! Runs the program like anyone would; never links it.

mod bench;
mod bless;
mod ci;
mod packages;
mod run;

use std::process::ExitCode;

const HELP: &str = "\
usage: cargo xtask COMMAND

  ci [--fast] [--only WORD]
                 all checks, in order; --fast: without real daemons; --only: the steps with WORD
  bless          writes what is generated: dashboards, docs/metrics.md, README's tables, snapshots
  bench [--only story|mix] [--quick]
                 speed and size beside wc, mtail and pflogsumm, instructions a line, the cost of a
                 scrape; and whether the counts are those that the simulator wrote
";

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let result = match words.as_slice() {
        ["ci", flags @ ..] => ci::Options::read(flags).and_then(|options| ci::run(&options)),
        ["bless"] => bless::run().map(|()| true),
        ["bench", flags @ ..] => {
            bench::Options::read(flags).and_then(|options| bench::run(&options))
        }
        ["--help" | "-h" | "help"] => {
            print!("{HELP}");
            return ExitCode::SUCCESS;
        }
        _ => {
            eprint!("{HELP}");
            return ExitCode::from(2);
        }
    };
    match result {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}
