//! Runs of more and more small requests: whether a request costs the same among a thousand and
//! among ten million, and whether memory grows with them.

use crate::cli::Flat;
use crate::contender::{self, Contender};
use crate::rounds;
use crate::server::Server;
use crate::span::Cost;
use crate::table::{self, Spread};
use crate::work::Work;
use anyhow::{Context, Result, ensure};
use hedgerow::RequestRecord;
use std::collections::BTreeMap;

/// The ways of asking, as contenders: one operation, a long job, an operation a request.
const SHAPES: [&str; 3] = [ONE_OPERATION, "hedgerow-stream", "hedgerow-each"];
/// Keeps its result until its end. The others keep nothing.
const ONE_OPERATION: &str = "hedgerow-1";
const WORK: Work = Work::Small;
const SHORTEST: u32 = 3;
/// Of the runs with which the others of the same round are compared. Those of a thousand requests
/// last some milliseconds, of which starting and ending are a good part.
const REFERENCE: u32 = 4;

/// Runs of one shape, by the power of ten of their requests, one a round.
type Runs = BTreeMap<u32, Vec<Cost>>;

/// Does what the command line asks for, and prints a table a shape.
///
/// # Errors
///
/// When a run fails or an answer is wrong.
pub(crate) fn run(flat: &Flat) -> Result<()> {
    rounds::end_when_interrupted()?;
    let asked = |name: &&str| {
        flat.only.is_empty()
            || flat
                .only
                .iter()
                .any(|prefix| name.starts_with(prefix.as_str()))
    };
    let shapes: Vec<_> = SHAPES.into_iter().filter(asked).collect();
    ensure!(!shapes.is_empty(), "there are {}", SHAPES.join(", "));
    let server = Server::start()?;
    for name in shapes {
        let shape = contender::ALL
            .into_iter()
            .find(|known| known.name() == name);
        let shape = shape.with_context(|| format!("there is no contender {name}"))?;
        let mut runs = Runs::new();
        for _ in 0..flat.rounds {
            for power in SHORTEST..=flat.most {
                let cost = rounds::run(&server, &[], WORK, shape, 10_usize.pow(power), 0)?;
                runs.entry(power).or_default().push(cost);
            }
        }
        print!("{}", text(shape, &runs)?);
    }
    Ok(())
}

/// What the runs of a shape say.
fn text(shape: &dyn Contender, runs: &Runs) -> Result<String> {
    let header = [
        "requests",
        "CPU us/request",
        "/ 10^4",
        "instructions",
        "/ 10^4",
        "requests/s",
        "nginx busy",
        "peak RSS",
        "growth",
        "without result",
    ];
    let mut rows = vec![header.map(str::to_owned)];
    rows.extend(runs.keys().map(|&power| row(shape, runs, power)));
    let mut text = format!("\n{}: {}\n", shape.name(), shape.about());
    table::write(&mut text, &rows)?;
    Ok(text)
}

fn row(shape: &dyn Contender, runs: &Runs, power: u32) -> [String; 10] {
    let own = &runs[&power];
    let spread = |value: &dyn Fn(&Cost) -> Option<f64>| -> Option<Spread> {
        Spread::of(own.iter().map(value).collect::<Option<_>>()?)
    };
    let ratio = |value: &dyn Fn(&Cost) -> Option<f64>| -> Option<Spread> {
        let rounds = own.iter().zip(runs.get(&REFERENCE)?);
        let ratios = rounds.map(|(cost, reference)| Some(value(cost)? / value(reference)?));
        Spread::of(ratios.collect::<Option<_>>()?)
    };
    let cpu = |cost: &Cost| Some(cost.cpu_us_a_request());
    let instructions = |cost: &Cost| cost.instructions_a_request();
    let median = |spread: Option<Spread>| {
        spread.map_or_else(
            || "n/a".to_owned(),
            |spread| format!("{:.0}", spread.median),
        )
    };
    [
        format!("10^{power}"),
        table::cell(spread(&cpu), 2),
        table::cell(ratio(&cpu), 2),
        median(spread(&instructions)),
        table::cell(ratio(&instructions), 2),
        median(spread(&|cost| Some(cost.requests_a_second()))),
        format!(
            "{} %",
            median(spread(&|cost| Some(100.0 * cost.server_share())))
        ),
        mebibytes(spread(&|cost| Some(mib(cost.peak_bytes)))),
        mebibytes(spread(&|cost| Some(growth(cost)))),
        mebibytes(spread(&|cost| Some(growth(cost) - result(shape, cost)))),
    ]
}

/// The most that was resident at once, less what was before the first measured request: after the
/// warm-up, with the inputs.
fn growth(cost: &Cost) -> f64 {
    mib(cost.peak_bytes) - mib(cost.baseline_bytes)
}

/// What the caller of one operation gets: its floats, and how each request went.
fn result(shape: &dyn Contender, cost: &Cost) -> f64 {
    let floats = WORK.batch() * WORK.dimensions() * size_of::<f32>();
    let request = floats + size_of::<RequestRecord>();
    if shape.name() == ONE_OPERATION {
        mib((cost.requests * request) as u64)
    } else {
        0.0
    }
}

#[expect(clippy::cast_precision_loss)]
fn mib(bytes: u64) -> f64 {
    bytes as f64 / f64::from(1 << 20)
}

fn mebibytes(spread: Option<Spread>) -> String {
    spread.map_or_else(
        || "n/a".to_owned(),
        |spread| format!("{:.1} MiB", spread.median),
    )
}
