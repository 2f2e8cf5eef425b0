//! Our HTTP/1.1 beside hyper's and awc's: the same bytes, cut in the same places, to all three.
//!
//! A grammar writes answers, right and wrong. Where ours makes something else of one than hyper or
//! awc does, that is in a list with its reason, or the test fails and prints the bytes.
//! `HEDGEROW_CASES=n` runs so many, other ones each time; without it the same few thousand are run.

mod case;

mod grammar;

mod bodies;

mod table;

mod server;

mod clients;

mod outcome;

mod differences;

use case::{Case, End};
use clients::{Ask, Awc, Hyper, Ours, Which};
use differences::{DIFFERENCES, Seen, awc_agrees, explained};
use hedgerow::transport::{HttpSettings, Proxy, TransportFactory};
use outcome::Outcome;
use proptest::test_runner::{Config, RngAlgorithm, TestCaseError, TestRng, TestRunner};
use server::{SECOND_BODY, Server};
use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;
use std::time::Duration;
use tokio::runtime::Runtime;
use tokio::task::LocalSet;
use tokio::time::timeout;

/// So many cases in an ordinary run.
const CASES: u32 = 2000;
/// A client that has not ended so long after its connection was closed hangs.
const HANG: Duration = Duration::from_secs(10);
/// A client that is still at it so long after it was asked waits, where the connection stays open.
/// A difference is looked at again with more patience: it may be the machine's.
const PATIENCE: [Duration; 3] = [
    Duration::from_millis(5),
    Duration::from_millis(80),
    Duration::from_secs(1),
];

/// What one client made of the two answers.
struct Observed {
    first: Outcome,
    /// Of the second request, where the first had an answer that ended.
    second: Option<Outcome>,
    /// The second went over the connection of the first.
    reused: bool,
}

/// Asks for the first answer; then, once the server has written all of it, for the second.
async fn observe(
    client: &impl Ask,
    case: &Rc<Case>,
    patience: Duration,
) -> Result<Observed, String> {
    let server = Server::start(case).await;
    let is_head = case.is_head;
    let limit = if case.end == End::Close {
        HANG
    } else {
        patience
    };
    let first = match timeout(limit, client.ask(&server, Which::First { is_head })).await {
        Ok(first) => first,
        Err(_) if case.end == End::Keep => Outcome::Waits,
        Err(_) => return Err("it hangs though the connection is closed".to_owned()),
    };
    let mut observed = Observed {
        first,
        second: None,
        reused: false,
    };
    if observed.first.body().is_some() {
        let before = server.seen.connections.get();
        let second = async {
            server.written().await;
            client.ask(&server, Which::Second).await
        };
        let second = timeout(HANG, second).await;
        observed.second = Some(second.map_err(|_| "it hangs in the second answer".to_owned())?);
        observed.reused = server.seen.connections.get() == before;
    }
    Ok(observed)
}

/// What the cases are run with.
struct Bench {
    runtime: Runtime,
    factory: TransportFactory,
    /// How many cases each listed difference has explained.
    tally: RefCell<BTreeMap<&'static str, u32>>,
}

impl Bench {
    fn new() -> Self {
        let settings = HttpSettings {
            proxy: Proxy::Direct,
            ..HttpSettings::default()
        };
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build();
        Self {
            runtime: runtime.expect("a runtime"),
            factory: settings.factory().expect("a factory"),
            tally: RefCell::default(),
        }
    }

    /// Runs one case; what it says is why it fails.
    fn check(&self, case: &Case) -> Result<(), String> {
        let case = Rc::new(case.clone());
        let at = |patience| LocalSet::new().block_on(&self.runtime, self.compare(&case, patience));
        let mut last = Ok(());
        for patience in PATIENCE {
            last = at(patience);
            if last.is_ok() {
                break;
            }
        }
        last.map_err(|cause| format!("{cause}\n{case:?}"))
    }

    async fn compare(&self, case: &Rc<Case>, patience: Duration) -> Result<(), String> {
        let (ours, hyper, awc) = (Ours::new(&self.factory), Hyper::default(), Awc::default());
        let (ours, hyper, awc) = tokio::join!(
            observe(&ours, case, patience),
            observe(&hyper, case, patience),
            observe(&awc, case, patience),
        );
        let ours = ours.map_err(|cause| format!("ours: {cause}"))?;
        let hyper = hyper.map_err(|cause| format!("hyper: {cause}"))?;
        is_the_second("ours", ours.second.as_ref())?;
        is_the_second("hyper", hyper.second.as_ref())?;
        let reuse = (ours.reused, hyper.reused);
        let seen = Seen {
            ours: ours.first,
            hyper: hyper.first,
            // It has no end of its own in some, which is one of its faults.
            awc: awc.map_or(Outcome::Waits, |awc| awc.first),
        };
        if !awc_agrees(case, &seen) {
            return Err(format!("awc reads another answer: {seen:#?}"));
        }
        if seen.ours == seen.hyper {
            if reuse == (true, false) {
                return Err(format!("only ours uses the connection again: {seen:#?}"));
            }
            return Ok(());
        }
        let difference = explained(case, &seen).ok_or_else(|| format!("{seen:#?}"))?;
        *self
            .tally
            .borrow_mut()
            .entry(difference.reason)
            .or_default() += 1;
        Ok(())
    }
}

/// An answer is never read from the bytes of another.
fn is_the_second(whose: &str, second: Option<&Outcome>) -> Result<(), String> {
    match second {
        Some(second) if second.status() != Some(203) || second.body() != Some(SECOND_BODY) => {
            Err(format!("{whose}: the second answer is {second:?}"))
        }
        _ => Ok(()),
    }
}

#[test]
fn what_servers_get_wrong_is_read_as_others_read_it() {
    let bench = Bench::new();
    let mut wrong = Vec::new();
    for case in table::cases() {
        wrong.extend(bench.check(&case).err());
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n\n"));
    let tally = bench.tally.borrow();
    for difference in DIFFERENCES {
        let reason = difference.reason;
        assert!(tally.contains_key(reason), "no case shows that {reason}");
    }
}

#[test]
fn any_answer_is_read_as_others_read_it() {
    let asked = std::env::var("HEDGEROW_CASES").ok();
    let config = Config {
        cases: asked
            .as_ref()
            .map_or(CASES, |asked| asked.parse().expect("a number")),
        failure_persistence: None,
        max_shrink_iters: 4000,
        ..Config::default()
    };
    let mut runner = if asked.is_some() {
        TestRunner::new(config)
    } else {
        TestRunner::new_with_rng(config, TestRng::deterministic_rng(RngAlgorithm::ChaCha))
    };
    let bench = Bench::new();
    let result = runner.run(&grammar::case(), |case| {
        bench.check(&case).map_err(TestCaseError::fail)
    });
    for (reason, count) in &*bench.tally.borrow() {
        println!("{count:>7} cases: {reason}");
    }
    if let Err(cause) = result {
        panic!("{cause}");
    }
}
