//! The parts of `docs/performance.md` that chores write: each stands between two markers.

use std::fs;

use crate::{Outcome, workspace};

const PAGE: &str = "docs/performance.md";
const END: &str = "\n<!-- end of what was written -->";

/// Puts the report of a chore into the page.
///
/// # Errors
///
/// If the page cannot be read or written, or has lost its markers.
pub(crate) fn write(chore: &str, report: &str) -> Outcome {
    let path = workspace::root().join(PAGE);
    let page = fs::read_to_string(&path)?;
    let page =
        replaced(&page, chore, report).ok_or_else(|| format!("{PAGE} has lost its markers"))?;
    fs::write(path, page)?;
    println!("\n{PAGE} was written");
    Ok(())
}

fn replaced(page: &str, chore: &str, report: &str) -> Option<String> {
    let begin = begin(chore);
    let (before, rest) = page.split_once(&begin)?;
    let (_, after) = rest.split_once(END)?;
    Some(format!("{before}{begin}\n{report}\n{END}{after}"))
}

fn begin(chore: &str) -> String {
    format!("<!-- written by `cargo xtask {chore} --write` -->\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_report_replaces_the_one_before_and_nothing_else() {
        let (bench, rows) = (begin("bench"), begin("rows"));
        let page = format!("# Speed\n\n{rows}\nrows\n{END}\n\n{bench}\nold\n{END}\n\nMore.\n");

        let once = replaced(&page, "bench", "new").unwrap();

        let expected = format!("# Speed\n\n{rows}\nrows\n{END}\n\n{bench}\nnew\n{END}\n\nMore.\n");
        assert_eq!(once, expected);
        assert_eq!(replaced(&once, "bench", "new").unwrap(), once);
        assert_eq!(replaced("# Speed\n", "bench", "new"), None);
    }
}
