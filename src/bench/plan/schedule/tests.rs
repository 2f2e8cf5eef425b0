//! Schedules: distribution, levels, seeds.

use super::*;
use proptest::prelude::*;

fn steady(rate: f64, seconds: u64) -> Levels {
    Levels(vec![Stage::steady(rate, Duration::from_secs(seconds))])
}

fn gaps(levels: Levels, arrival: Arrival, seed: u64) -> Vec<f64> {
    let instants: Vec<f64> = Schedule::new(levels, arrival, seed)
        .map(|at| at.as_secs_f64())
        .collect();
    instants.windows(2).map(|pair| pair[1] - pair[0]).collect()
}

/// The statistic of Kolmogorov and Smirnov, times the root of the count: below 1.63 at 1 %.
#[allow(clippy::cast_precision_loss, reason = "few thousand samples")]
fn kolmogorov_smirnov(mut samples: Vec<f64>, cdf: impl Fn(f64) -> f64) -> f64 {
    samples.sort_by(f64::total_cmp);
    let count = samples.len() as f64;
    let worst = samples.iter().enumerate().map(|(rank, value)| {
        let expected = cdf(*value);
        let above = (rank as f64 + 1.0) / count - expected;
        above.max(expected - rank as f64 / count)
    });
    worst.fold(0.0, f64::max) * count.sqrt()
}

#[test]
fn poisson_gaps_pass_a_kolmogorov_smirnov_test_at_one_percent() {
    for seed in 0..5 {
        let gaps = gaps(steady(50.0, 200), Arrival::Poisson, seed);
        assert!(gaps.len() > 9000, "{}", gaps.len());
        let statistic = kolmogorov_smirnov(gaps, |gap| 1.0 - (-50.0 * gap).exp());
        assert!(statistic < 1.63, "seed {seed}: {statistic}");
    }
}

#[test]
fn gaps_that_are_not_exponential_fail_the_same_test() {
    for arrival in [Arrival::Constant, Arrival::Gamma(2.0), Arrival::Gamma(0.5)] {
        let gaps = gaps(steady(50.0, 200), arrival, 0);
        let statistic = kolmogorov_smirnov(gaps, |gap| 1.0 - (-50.0 * gap).exp());
        assert!(statistic > 5.0, "{arrival}: {statistic}");
    }
}

#[test]
fn a_ramp_of_poisson_arrivals_is_exponential_once_time_is_stretched_back() {
    let levels = Levels(vec![Stage {
        from: 0.0,
        to: 200.0,
        span: Duration::from_secs(100),
    }]);
    let stretched: Vec<f64> = Schedule::new(levels, Arrival::Poisson, 3)
        .map(|at| at.as_secs_f64().powi(2))
        .collect();
    let gaps = stretched.windows(2).map(|pair| pair[1] - pair[0]).collect();
    let statistic = kolmogorov_smirnov(gaps, |gap| 1.0 - (-gap).exp());
    assert!(statistic < 1.63, "{statistic}");
}

#[test]
fn constant_arrivals_are_evenly_spaced_from_the_start() {
    let instants: Vec<u128> = Schedule::new(steady(100.0, 1), Arrival::Constant, 9)
        .map(|at| at.as_micros())
        .collect();
    let expected: Vec<u128> = (0..100).map(|number| number * 10_000).collect();
    assert_eq!(instants, expected);
}

#[test]
fn steps_have_their_rates_and_a_stage_of_nothing_is_a_pause() {
    let levels: Vec<Stage> = ["10:30s", "0:5s", "50:60s"]
        .iter()
        .map(|text| text.parse().unwrap())
        .collect();
    let counted = |from: u64, to: u64| {
        let range = Duration::from_secs(from)..Duration::from_secs(to);
        let schedule = Schedule::new(Levels(levels.clone()), Arrival::Constant, 0);
        schedule.filter(|at| range.contains(at)).count()
    };
    assert_eq!(counted(0, 30), 300);
    assert_eq!(counted(30, 35), 0);
    assert_eq!(counted(35, 95), 3000);
}

#[test]
fn a_ramp_has_the_mean_of_its_ends() {
    let stage: Stage = "10-30:10s".parse().unwrap();
    let schedule = Schedule::new(Levels(vec![stage]), Arrival::Constant, 0);
    assert_eq!(schedule.count(), 200);
    let levels = Levels(vec![stage]);
    assert!((levels.level(Duration::from_secs(5)) - 20.0).abs() < 1e-9);
    assert!(levels.level(Duration::from_secs(10)).abs() < 1e-9);
}

#[test]
fn texts_are_read_and_bad_ones_are_named() {
    for (text, shown) in [("10:30s", "10:30s"), ("0-2.5:500ms", "0-2.5:0.5s")] {
        assert_eq!(text.parse::<Stage>().unwrap().to_string(), shown);
    }
    for bad in ["", "10", "a:1s", "1:0s", "-1:1s", "1:1y", "1:-1s", "1e9:1s"] {
        let error = bad.parse::<Stage>().unwrap_err();
        assert!(error.is_config(), "{bad}");
    }
    for text in ["constant", "poisson", "gamma:0.5"] {
        assert_eq!(text.parse::<Arrival>().unwrap().to_string(), text);
    }
    for bad in ["", "gamma", "gamma:0", "gamma:x", "uniform"] {
        assert!(bad.parse::<Arrival>().unwrap_err().is_config(), "{bad}");
    }
    assert_eq!(parse_span("1.5m").unwrap(), Duration::from_secs(90));
    assert!(parse_span("1e9").is_err() && parse_span("800h").is_err());
}

fn stages() -> impl Strategy<Value = Vec<Stage>> {
    let stage = (0.0..200.0f64, 0.0..200.0f64, 1u64..3000).prop_map(|(from, to, ms)| Stage {
        from,
        to,
        span: Duration::from_millis(ms),
    });
    prop::collection::vec(stage, 1..5)
}

proptest! {
    #[test]
    fn schedules_are_in_order_within_their_span_and_follow_from_their_seed(
        stages in stages(), seed in any::<u64>(), shape in 0.1..10.0f64
    ) {
        let levels = Levels(stages);
        for arrival in [Arrival::Constant, Arrival::Poisson, Arrival::Gamma(shape)] {
            let draw = || Schedule::new(levels.clone(), arrival, seed).collect::<Vec<_>>();
            let instants = draw();
            prop_assert!(instants.is_sorted());
            prop_assert!(instants.iter().all(|at| *at <= levels.span()));
            prop_assert_eq!(&instants, &draw());
        }
    }
}
