//! Random numbers that are the same on every machine and in every version: `SplitMix64`.
//!
//! Schedules and bodies are drawn from these, so that a seed says which bytes are sent when. A
//! generator is made for one purpose from the seed, the purpose and a number, so that what is drawn
//! for one request does not depend on what was drawn for another, or on which thread drew first.
//! Logarithms, powers and cosines are those of `libm`: each system's own library rounds as it likes.

/// A generator. Cheap to make: one for each request is fine.
#[derive(Debug, Clone)]
pub(crate) struct Rng(u64);

/// What numbers are drawn for. Purposes never share a sequence.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Purpose {
    /// The gaps between arrivals.
    Arrivals = 1,
    /// The texts of prompts.
    Prompts = 2,
    /// How many tokens an answer is to have.
    Outputs = 3,
    /// The shared beginnings of prompts.
    Prefixes = 4,
}

impl Rng {
    /// The generator of one purpose, for its `number`-th use.
    pub(crate) fn new(seed: u64, purpose: Purpose, number: u64) -> Self {
        let mut rng = Self(seed);
        rng.0 = rng.next() ^ (purpose as u64).wrapping_mul(0xd6e8_feb8_6659_fd93);
        rng.0 = rng.next() ^ number.wrapping_mul(0xa076_1d64_78bd_642f);
        rng.next();
        rng
    }

    /// The next 64 bits.
    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// Uniform in 0 (excluded) to 1 (included), so that its logarithm is finite.
    #[allow(clippy::cast_precision_loss, reason = "53 bits fit")]
    pub(crate) fn uniform(&mut self) -> f64 {
        ((self.next() >> 11) + 1) as f64 / (1u64 << 53) as f64
    }

    /// Uniform in 0 to `below` (excluded); 0 where that is 0.
    #[allow(
        clippy::cast_possible_truncation,
        reason = "the high half of a product"
    )]
    pub(crate) fn below(&mut self, below: u64) -> u64 {
        ((u128::from(self.next()) * u128::from(below)) >> 64) as u64
    }

    /// Exponential, of mean 1.
    pub(crate) fn exponential(&mut self) -> f64 {
        -libm::log(self.uniform())
    }

    /// Standard normal, by Box and Muller.
    pub(crate) fn normal(&mut self) -> f64 {
        let radius = (2.0 * self.exponential()).sqrt();
        radius * libm::cos(std::f64::consts::TAU * self.uniform())
    }

    /// Gamma of this shape, scaled to mean 1: of shape 1 it is exponential, below it burstier,
    /// above it steadier. [Marsaglia and Tsang, A Simple Method for Generating Gamma Variables,
    /// 2000]
    pub(crate) fn gamma(&mut self, shape: f64) -> f64 {
        if shape < 1.0 {
            let boost = libm::pow(self.uniform(), 1.0 / shape);
            return self.gamma(shape + 1.0) * (shape + 1.0) * boost / shape;
        }
        let d = shape - 1.0 / 3.0;
        let c = 1.0 / (9.0 * d).sqrt();
        loop {
            let normal = self.normal();
            let root = 1.0 + c * normal;
            let v = root * root * root;
            if v <= 0.0 {
                continue;
            }
            let bound = 0.5 * normal * normal + d * (1.0 - v + libm::log(v));
            if libm::log(self.uniform()) < bound {
                return d * v / shape;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mean_and_variance(mut draw: impl FnMut() -> f64) -> (f64, f64) {
        const COUNT: i32 = 200_000;
        let (mut sum, mut squares) = (0.0, 0.0);
        for _ in 0..COUNT {
            let value = draw();
            sum += value;
            squares += value * value;
        }
        let mean = sum / f64::from(COUNT);
        (mean, squares / f64::from(COUNT) - mean * mean)
    }

    #[test]
    fn distributions_have_their_moments() {
        let mut rng = Rng::new(7, Purpose::Arrivals, 0);
        let (mean, variance) = mean_and_variance(|| rng.uniform());
        assert!((mean - 0.5).abs() < 0.01 && (variance - 1.0 / 12.0).abs() < 0.01);
        let (mean, variance) = mean_and_variance(|| rng.normal());
        assert!(mean.abs() < 0.01 && (variance - 1.0).abs() < 0.02);
        for shape in [0.25, 1.0, 4.0] {
            let (mean, variance) = mean_and_variance(|| rng.gamma(shape));
            assert!((mean - 1.0).abs() < 0.02, "shape {shape}: mean {mean}");
            assert!(
                (variance * shape - 1.0).abs() < 0.05,
                "shape {shape}: {variance}"
            );
        }
    }

    #[test]
    fn what_is_drawn_depends_on_seed_purpose_and_number_alone() {
        let first = |seed, purpose, number| Rng::new(seed, purpose, number).next();
        assert_eq!(first(1, Purpose::Prompts, 5), first(1, Purpose::Prompts, 5));
        let others = [
            first(2, Purpose::Prompts, 5),
            first(1, Purpose::Outputs, 5),
            first(1, Purpose::Prompts, 6),
        ];
        assert!(!others.contains(&first(1, Purpose::Prompts, 5)));
        // Fixed for all time: reports name seeds.
        assert_eq!(first(0, Purpose::Arrivals, 0), 2_561_366_806_719_327_793);
    }

    #[test]
    fn distributions_are_the_same_on_every_machine_to_the_last_bit() {
        let bits = |draw: fn(&mut Rng) -> f64| {
            let mut rng = Rng::new(42, Purpose::Arrivals, 0);
            [draw(&mut rng), draw(&mut rng), draw(&mut rng)].map(f64::to_bits)
        };
        let drawn = [
            bits(Rng::exponential),
            bits(Rng::normal),
            bits(|rng| rng.gamma(0.25)),
            bits(|rng| rng.gamma(4.0)),
        ];
        let expected = [
            [
                0x3fd6_e6ac_6977_3e1a,
                0x3ff7_1897_27e4_681c,
                0x3f8b_5cac_1dff_4453,
            ],
            [
                0x3fb2_e42d_f303_1939,
                0x3fc0_e26b_1c53_ca12,
                0xc008_9def_3eb7_1be1,
            ],
            [
                0x400c_2748_b46f_ef61,
                0x3e18_c6cb_1dbe_aac8,
                0x3fef_cba8_3d04_c003,
            ],
            [
                0x3fee_7a75_b948_66eb,
                0x4002_fafa_d367_6cd2,
                0x3fe6_6333_70bc_6a59,
            ],
        ];
        assert_eq!(drawn, expected, "{drawn:#x?}");
    }

    #[test]
    fn below_stays_below() {
        let mut rng = Rng::new(0, Purpose::Outputs, 0);
        assert!((0..1000).all(|_| rng.below(7) < 7));
        assert_eq!(rng.below(0), 0);
    }
}
