//! Versions and the ranges of them that advisories name.
//!
//! Only the order of versions counts, as in RustSec: a pre-release lies before its release and
//! inside a range that holds its neighbours. Cargo's rule that a pre-release must be asked for
//! would call a vulnerable one safe.

use std::cmp::Ordering;

/// A version; build metadata is left out, since it has no order.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Version {
    numbers: [u64; 3],
    stage: Stage,
}

/// Where before or at its release a version lies.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
enum Stage {
    Before(Vec<Identifier>),
    Release,
}

/// A part of a pre-release between two dots; a number lies before a word.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
enum Identifier {
    Number(u64),
    Word(String),
}

/// Bounds that a version must all keep.
#[derive(Debug)]
pub(crate) struct Range(Vec<Bound>);

#[derive(Debug)]
struct Bound {
    orders: &'static [Ordering],
    version: Version,
}

const AT_LEAST: &[Ordering] = &[Ordering::Greater, Ordering::Equal];
const ABOVE: &[Ordering] = &[Ordering::Greater];
const AT_MOST: &[Ordering] = &[Ordering::Less, Ordering::Equal];
const BELOW: &[Ordering] = &[Ordering::Less];
const EXACTLY: &[Ordering] = &[Ordering::Equal];

impl Version {
    /// Reads `1.2.3`, `1.2.3-rc.1` or `1.2.3+build`.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let (version, numbers_given) = partial(text)?;
        (numbers_given == 3).then_some(version)
    }

    /// The first version with the number at `index` one higher.
    fn bumped(&self, index: usize) -> Option<Self> {
        let mut numbers = [0; 3];
        numbers.get_mut(..=index)?.copy_from_slice(self.numbers.get(..=index)?);
        *numbers.get_mut(index)? += 1;
        Some(Self { numbers, stage: Stage::Release })
    }
}

impl Range {
    /// Reads bounds with commas between them, as `>= 1.2, < 2.0.0-rc.1`, `^1.4.3` or `0.7.2`.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let bounds: Option<Vec<_>> = text.split(',').map(|bound| bounds(bound.trim())).collect();
        Some(Self(bounds?.into_iter().flatten().collect()))
    }

    /// Whether the version keeps every bound.
    pub(crate) fn contains(&self, version: &Version) -> bool {
        self.0.iter().all(|bound| bound.orders.contains(&version.cmp(&bound.version)))
    }
}

fn bounds(text: &str) -> Option<Vec<Bound>> {
    let digits = text.find(|c: char| c.is_ascii_digit())?;
    let (operator, rest) = text.split_at(digits);
    let (version, given) = partial(rest)?;
    let is_whole = given == 3;
    // The first version above everything that a shortened one stands for.
    let next = version.bumped(given - 1)?;
    let bound = |orders, version| Bound { orders, version };
    Some(match operator.trim() {
        ">=" => vec![bound(AT_LEAST, version)],
        "<" => vec![bound(BELOW, version)],
        ">" if is_whole => vec![bound(ABOVE, version)],
        ">" => vec![bound(AT_LEAST, next)],
        "<=" if is_whole => vec![bound(AT_MOST, version)],
        "<=" => vec![bound(BELOW, next)],
        "=" if is_whole => vec![bound(EXACTLY, version)],
        "=" => vec![bound(AT_LEAST, version), bound(BELOW, next)],
        "~" => {
            let above = version.bumped((given - 1).min(1))?;
            vec![bound(AT_LEAST, version), bound(BELOW, above)]
        }
        // Without an operator it is a caret: up to the next change of the first number that counts.
        "^" | "" => {
            let first = version.numbers.iter().position(|number| *number != 0);
            let above = version.bumped(first.unwrap_or(2).min(given - 1))?;
            vec![bound(AT_LEAST, version), bound(BELOW, above)]
        }
        _ => return None,
    })
}

/// Reads a version that may leave out numbers at its end, and says how many were given.
fn partial(text: &str) -> Option<(Version, usize)> {
    let text = text.split_once('+').map_or(text, |(version, _)| version);
    let (release, before) = match text.split_once('-') {
        Some((release, before)) => (release, Some(before)),
        None => (text, None),
    };
    let given: Vec<u64> =
        release.split('.').map(|part| part.parse().ok()).collect::<Option<_>>()?;
    let mut numbers = [0; 3];
    numbers.get_mut(..given.len())?.copy_from_slice(&given);
    let stage = before.map_or(Stage::Release, |before| {
        Stage::Before(before.split('.').map(identifier).collect())
    });
    Some((Version { numbers, stage }, given.len()))
}

fn identifier(text: &str) -> Identifier {
    text.parse().map_or_else(|_| Identifier::Word(text.to_owned()), Identifier::Number)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_in_order() {
        let ordered = [
            "0.9.9",
            "1.0.0-alpha",
            "1.0.0-alpha.1",
            "1.0.0-alpha.beta",
            "1.0.0-beta.2",
            "1.0.0-beta.11",
            "1.0.0-rc.1",
            "1.0.0",
            "1.0.10",
            "1.2.0",
            "10.0.0",
        ];
        let versions: Vec<_> = ordered.iter().map(|text| Version::parse(text).unwrap()).collect();
        assert!(versions.is_sorted_by(|low, high| low < high));
        assert_eq!(Version::parse("1.0.0+build.7"), Version::parse("1.0.0"));
    }

    #[test]
    fn a_range_holds_what_it_says() {
        check(">= 1.2.3", &["1.2.3", "1.2.4-rc.1", "2.0.0"], &["1.2.2", "1.2.3-rc.1"]);
        check("> 1.2.3", &["1.2.4"], &["1.2.3"]);
        check("< 2.0", &["1.9.9", "2.0.0-alpha"], &["2.0.0"]);
        check("<= 2.0.1", &["2.0.1"], &["2.0.2"]);
        check(">=1.1.0, <1.2", &["1.1.0", "1.1.9"], &["1.0.9", "1.2.0"]);
        check("= 0.4.1", &["0.4.1"], &["0.4.0", "0.4.2"]);
    }

    #[test]
    fn a_caret_ends_at_the_next_change_that_breaks() {
        check("^1.4.3", &["1.4.3", "1.9.0"], &["1.4.2", "2.0.0"]);
        check("0.7.2", &["0.7.2", "0.7.9"], &["0.7.1", "0.8.0"]);
        check("^ 0.0.3", &["0.0.3"], &["0.0.4"]);
        check("^0", &["0.9.0"], &["1.0.0"]);
        check("~1.4", &["1.4.9"], &["1.5.0"]);
    }

    #[test]
    fn a_shortened_version_stands_for_all_that_begin_so() {
        check("> 1", &["2.0.0"], &["1.9.9"]);
        check("<= 0.3", &["0.3.9"], &["0.4.0"]);
        check("= 0.3", &["0.3.0", "0.3.9"], &["0.4.0"]);
    }

    #[test]
    fn what_is_no_range_is_refused() {
        for text in ["", "*", ">= x", "1.2.3.4", "!1.0.0", ">= 1.0.0,"] {
            assert!(Range::parse(text).is_none(), "{text:?}");
        }
    }

    fn check(range: &str, inside: &[&str], outside: &[&str]) {
        let read = Range::parse(range).unwrap();
        let is_inside = |text: &&str| read.contains(&Version::parse(text).unwrap());
        let expected = (inside.len(), 0);
        let found = (
            inside.iter().filter(|text| is_inside(text)).count(),
            outside.iter().filter(|text| is_inside(text)).count(),
        );
        assert_eq!(found, expected, "{range}");
    }
}
