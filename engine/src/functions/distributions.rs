//! Distributions of statistics as Trino computes them ("Statistical functions" of its mathematical ones).

use super::kernel::{ATHENA, Call, Gives, Kind, Scalar, scalar};
use crate::error::{Error, ErrorKind, Result};
use datafusion::arrow::array::ArrayRef;
use std::f64::consts::{PI, SQRT_2};

use Kind::Float;

/// How many steps a series or a fraction takes at most; a few dozen are enough.
const MOST_STEPS: u32 = 500;

pub(super) const FUNCTIONS: &[Scalar] = &[
    scalar("normal_cdf", ATHENA, &[Float, Float, Float], Gives::Float, |call| {
        by_three(call, |mean, deviation, value| {
            positive(deviation, "standardDeviation")?;
            Ok(normal((value - mean) / deviation))
        })
    })
    .doc(
        "normal_cdf(mean, deviation, value)",
        "The probability that a normal distribution is below a value.",
        &[("round(normal_cdf(0, 1, 1.96), 12)", "0.975002104852"), ("normal_cdf(3, 2, 3)", "0.5")],
    ),
    scalar("inverse_normal_cdf", ATHENA, &[Float, Float, Float], Gives::Float, |call| {
        by_three(call, |mean, deviation, share| {
            if share <= 0.0 || share >= 1.0 {
                return Err(invalid("p must be 0 > p > 1"));
            }
            positive(deviation, "standardDeviation")?;
            Ok(mean + deviation * sought(share, -40.0, 40.0, normal))
        })
    })
    .doc(
        "inverse_normal_cdf(mean, deviation, share)",
        "The value that a normal distribution is below with a probability.",
        &[("round(inverse_normal_cdf(0, 1, 0.975), 12)", "1.95996398454")],
    ),
    scalar("beta_cdf", ATHENA, &[Float, Float, Float], Gives::Float, |call| {
        by_three(call, |a, b, value| {
            share_of_one(value, "value")?;
            positive(a, "a")?;
            positive(b, "b")?;
            Ok(beta(a, b, value))
        })
    })
    .doc(
        "beta_cdf(a, b, value)",
        "The probability that a beta distribution is below a value.",
        &[("round(beta_cdf(2, 3, 0.5), 12)", "0.6875")],
    ),
    scalar("inverse_beta_cdf", ATHENA, &[Float, Float, Float], Gives::Float, |call| {
        by_three(call, |a, b, share| {
            share_of_one(share, "p")?;
            positive(a, "a")?;
            positive(b, "b")?;
            Ok(sought(share, 0.0, 1.0, |value| beta(a, b, value)))
        })
    })
    .doc(
        "inverse_beta_cdf(a, b, share)",
        "The value that a beta distribution is below with a probability.",
        &[("round(inverse_beta_cdf(2, 3, 0.6875), 12)", "0.5")],
    ),
    scalar("wilson_interval_lower", ATHENA, &[Float, Float, Float], Gives::Float, |call| wilson(call, -1.0)).doc(
        "wilson_interval_lower(successes, trials, z)",
        "The lower bound of Wilson's score interval.",
        &[("round(wilson_interval_lower(1250, 1310, 1.96), 12)", "0.94148837254")],
    ),
    scalar("wilson_interval_upper", ATHENA, &[Float, Float, Float], Gives::Float, |call| wilson(call, 1.0)).doc(
        "wilson_interval_upper(successes, trials, z)",
        "The upper bound of Wilson's score interval.",
        &[("round(wilson_interval_upper(1250, 1310, 1.96), 12)", "0.964252471714")],
    ),
];

fn invalid(message: &str) -> Error {
    Error::new(ErrorKind::InvalidParameter, message)
}

fn positive(value: f64, name: &str) -> Result<()> {
    if value > 0.0 { Ok(()) } else { Err(invalid(&format!("{name} must be > 0"))) }
}

fn share_of_one(value: f64, name: &str) -> Result<()> {
    if (0.0..=1.0).contains(&value) { Ok(()) } else { Err(invalid(&format!("{name} must be in the interval [0, 1]"))) }
}

/// A double of three.
fn by_three(call: &Call<'_>, of: impl Fn(f64, f64, f64) -> Result<f64>) -> Result<ArrayRef> {
    let (first, second, third) = (call.float(0), call.float(1), call.float(2));
    call.floats(|row| of(first.value(row), second.value(row), third.value(row)).map(Some))
}

fn wilson(call: &Call<'_>, side: f64) -> Result<ArrayRef> {
    by_three(call, |successes, trials, z| {
        if successes < 0.0 {
            return Err(invalid("number of successes must not be negative"));
        }
        positive(trials, "number of trials")?;
        if successes > trials {
            return Err(invalid("number of successes must not be larger than number of trials"));
        }
        if z < 0.0 {
            return Err(invalid("z-score must not be negative"));
        }
        let (share, square) = (successes / trials, z * z / trials);
        let width = z * (share * (1.0 - share) / trials + square / (4.0 * trials)).sqrt();
        Ok((share + square / 2.0 + side * width) / (1.0 + square))
    })
}

/// The standard normal distribution below a value.
fn normal(value: f64) -> f64 {
    let x = value / SQRT_2;
    let inside = x.abs() < 2.5;
    // A series near the middle, a continued fraction at the ends, where a difference would lose all digits.
    let tail = if inside { (1.0 - error_series(x.abs())) / 2.0 } else { error_fraction(x.abs()) / 2.0 };
    if x > 0.0 { 1.0 - tail } else { tail }
}

/// The error function by its series (Abramowitz and Stegun 7.1.6).
fn error_series(x: f64) -> f64 {
    let (mut term, mut sum) = (x, x);
    for step in 1..MOST_STEPS {
        term *= 2.0 * x * x / f64::from(2 * step + 1);
        sum += term;
        if term < sum * f64::EPSILON {
            break;
        }
    }
    2.0 / PI.sqrt() * (-x * x).exp() * sum
}

/// What the error function lacks to 1, by a continued fraction from its end (Abramowitz and Stegun 7.1.14).
fn error_fraction(x: f64) -> f64 {
    let rest = (1..=100).rev().fold(x, |below, step| x + f64::from(step) / 2.0 / below);
    (-x * x).exp() / (PI.sqrt() * rest)
}

/// The logarithm of the gamma function by Lanczos' approximation, for positive numbers.
fn ln_gamma(x: f64) -> f64 {
    const TERMS: [f64; 8] = [
        676.520_368_121_885_1,
        -1_259.139_216_722_402_8,
        771.323_428_777_653_1,
        -176.615_029_162_140_6,
        12.507_343_278_686_905,
        -0.138_571_095_265_720_12,
        9.984_369_578_019_572e-6,
        1.505_632_735_149_311_6e-7,
    ];
    if x < 0.5 {
        return (PI / (PI * x).sin()).ln() - ln_gamma(1.0 - x);
    }
    let x = x - 1.0;
    let terms = TERMS.iter().zip(1_u32..).map(|(term, at)| term / (x + f64::from(at)));
    let sum = 0.999_999_999_999_809_9 + terms.sum::<f64>();
    let base = x + 7.5;
    (2.0 * PI).sqrt().ln() + (x + 0.5) * base.ln() - base + sum.ln()
}

/// The regularized incomplete beta function by its continued fraction (Abramowitz and Stegun 26.5.8).
fn beta(a: f64, b: f64, x: f64) -> f64 {
    if x <= 0.0 || x >= 1.0 {
        return x.clamp(0.0, 1.0);
    }
    // It converges fast on this side.
    if x > (a + 1.0) / (a + b + 2.0) {
        return 1.0 - beta_fraction(b, a, 1.0 - x);
    }
    beta_fraction(a, b, x)
}

fn beta_fraction(a: f64, b: f64, x: f64) -> f64 {
    const TINY: f64 = 1e-300;
    let away = |value: f64| if value.abs() < TINY { TINY } else { value };
    let scale = (ln_gamma(a + b) - ln_gamma(a) - ln_gamma(b) + a * x.ln() + b * (1.0 - x).ln()).exp() / a;
    let (mut above, mut below) = (1.0, 1.0 / away(1.0 - (a + b) * x / (a + 1.0)));
    let mut value = below;
    for step in 1..MOST_STEPS {
        let m = f64::from(step);
        let even = m * (b - m) * x / ((a + 2.0 * m - 1.0) * (a + 2.0 * m));
        let odd = -(a + m) * (a + b + m) * x / ((a + 2.0 * m) * (a + 2.0 * m + 1.0));
        let mut change = 1.0;
        for term in [even, odd] {
            below = 1.0 / away(1.0 + term * below);
            above = away(1.0 + term / above);
            change = above * below;
            value *= change;
        }
        if (change - 1.0).abs() < f64::EPSILON {
            break;
        }
    }
    scale * value
}

/// Where a growing function reaches a share, between two ends, by halving.
fn sought(share: f64, low: f64, high: f64, of: impl Fn(f64) -> f64) -> f64 {
    let (mut low, mut high) = (low, high);
    for _ in 0..200 {
        let middle = f64::midpoint(low, high);
        if middle <= low || middle >= high {
            break;
        }
        if of(middle) < share {
            low = middle;
        } else {
            high = middle;
        }
    }
    f64::midpoint(low, high)
}

#[cfg(test)]
mod tests {
    use super::*;

    // Abramowitz and Stegun's tables 26.1 and 26.5, and binomial sums, which the beta distribution is of whole numbers.
    #[test]
    fn distributions_are_those_of_the_tables() {
        for (value, expected) in [
            (0.0, 0.5),
            (1.0, 0.841_344_746_068_542_9),
            (-1.0, 0.158_655_253_931_457_05),
            (1.96, 0.975_002_104_851_779_5),
            (3.0, 0.998_650_101_968_369_9),
            (-6.0, 9.865_876_450_376_946e-10),
        ] {
            assert!((normal(value) / expected - 1.0).abs() < 1e-12, "{value}: {}", normal(value));
        }
        for (a, b, x, expected) in [
            (2.0, 3.0, 0.5, 0.6875),
            (1.0, 1.0, 0.3, 0.3),
            (3.0, 1.0, 0.5, 0.125),
            (5.0, 5.0, 0.5, 0.5),
            (0.5, 0.5, 0.25, 1.0 / 3.0),
        ] {
            assert!((beta(a, b, x) - expected).abs() < 1e-12, "{a} {b} {x}: {}", beta(a, b, x));
        }
        assert!((sought(0.975, -40.0, 40.0, normal) - 1.959_963_984_540_054).abs() < 1e-12);
    }
}
