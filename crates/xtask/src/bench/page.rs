//! The part of `docs/performance.md` that a bench writes: what stands between two markers.

use std::fs;

use crate::{Outcome, workspace};

const PAGE: &str = "docs/performance.md";
const BEGIN: &str = "<!-- written by `cargo xtask bench --write` -->\n";
const END: &str = "\n<!-- end of what was written -->";

/// Puts the report into the page.
///
/// # Errors
///
/// If the page cannot be read or written, or has lost its markers.
pub(crate) fn write(report: &str) -> Outcome {
    let path = workspace::root().join(PAGE);
    let page = fs::read_to_string(&path)?;
    let page = replaced(&page, report).ok_or_else(|| format!("{PAGE} has lost its markers"))?;
    fs::write(path, page)?;
    println!("\n{PAGE} was written");
    Ok(())
}

fn replaced(page: &str, report: &str) -> Option<String> {
    let (before, rest) = page.split_once(BEGIN)?;
    let (_, after) = rest.split_once(END)?;
    Some(format!("{before}{BEGIN}\n{report}\n{END}{after}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_report_replaces_the_one_before_and_nothing_else() {
        let page = format!("# Speed\n\n{BEGIN}\nold\n{END}\n\nMore.\n");

        let once = replaced(&page, "new").unwrap();

        assert_eq!(once, format!("# Speed\n\n{BEGIN}\nnew\n{END}\n\nMore.\n"));
        assert_eq!(replaced(&once, "new").unwrap(), once);
        assert_eq!(replaced("# Speed\n", "new"), None);
    }
}
