//! Arithmetic on what the rounds brought.

/// The middle of some figures, and how far they lie apart.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Spread {
    /// The figure in the middle, or the mean of the two there.
    pub(crate) median: f64,
    /// The least.
    pub(crate) least: f64,
    /// The greatest.
    pub(crate) most: f64,
}

impl Spread {
    /// Orders the figures; without any, all three are not a number.
    pub(crate) fn of(figures: impl IntoIterator<Item = f64>) -> Self {
        let mut figures: Vec<f64> = figures.into_iter().collect();
        figures.sort_by(f64::total_cmp);
        let at = |index: usize| figures.get(index).copied().unwrap_or(f64::NAN);
        let last = figures.len().saturating_sub(1);
        let median = f64::midpoint(at(last / 2), at(last.div_ceil(2)));
        Self { median, least: at(0), most: at(last) }
    }
}

/// Returns the number behind `"name":` in a flat line of JSON.
pub(crate) fn number(line: &str, name: &str) -> Option<f64> {
    let (_, rest) = line.split_once(&format!("\"{name}\":"))?;
    rest.split([',', '}']).next()?.trim().parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_median_stands_in_the_middle() {
        check(&[3.0, 1.0, 2.0], (2.0, 1.0, 3.0));
        check(&[4.0, 1.0], (2.5, 1.0, 4.0));
        check(&[7.0], (7.0, 7.0, 7.0));
        assert!(Spread::of([]).median.is_nan());
    }

    #[test]
    fn numbers_are_found_by_their_whole_name() {
        let line = r#"{"max_us":9,"age_max_us":3.5,"errors":0}"#;

        assert_eq!(number(line, "max_us"), Some(9.0));
        assert_eq!(number(line, "age_max_us"), Some(3.5));
        assert_eq!(number(line, "errors"), Some(0.0));
        assert_eq!(number(line, "us"), None);
    }

    fn check(figures: &[f64], (median, least, most): (f64, f64, f64)) {
        assert_eq!(Spread::of(figures.iter().copied()), Spread { median, least, most });
    }
}
