//! The settings as documentation: `docs/configuration.md` and `.env.example` are made here from
//! the same declarations that read the values, and a test compares them with the files.

use std::path::Path;

use crate::config::live::LIVE;
use crate::config::reader::Reader;
use crate::config::sources::Sources;
use crate::config::{Setting, settings};

const PAGE_INTRODUCTION: &str = "\
# Configuration

Nothing needs to be set before the first start. What is set is looked for in this order:

1. the environment,
2. the file `.env` in the working directory,
3. the file `gemini-balance.toml` in the working directory, with names in lower case
   (`log_level = \"debug\"`),
4. the file `settings.toml` in the data directory, which the API and `gemini-balance settings` write,
5. the default.

An empty value counts as absent, except for `PASSWORD`, `SECRET_KEY`, `ENCRYPTION_KEY` and
`BACKUP_PASSPHRASE`, where it is a mistake. In `.env`, put values with spaces, `#` or `$` in single quotes. An unknown name in
`gemini-balance.toml` is a mistake. All mistakes are reported at once and the gateway does not start
until they are mended. Durations are in seconds unless said otherwise, and may have a fraction.
Settings that take effect are shown to admins with their source; secrets never are.

Settings marked ● change while the gateway runs: by `PATCH /api/settings` or `gemini-balance settings
set NAME VALUE` where they are written nowhere else, or in one of the files, which are looked at every few
seconds. A change is checked like everything at the start, and whoever made it is kept in mind
(`GET /api/settings/changes`). All others need a restart.

This page is generated from the program: `UPDATE_DOCS=1 cargo test -p gemini-balance reference`.
";

const ENV_INTRODUCTION: &str = "\
# Settings of Gemini Balance and their defaults; docs/configuration.md explains each.
# Copy this file to .env and remove the # in front of what you change.
# Put values with spaces, # or $ in single quotes.
#
# Generated from the program: UPDATE_DOCS=1 cargo test -p gemini-balance reference
";

/// The text of `docs/configuration.md`.
#[must_use]
pub fn configuration_page() -> String {
    let mut page = PAGE_INTRODUCTION.to_owned();
    let mut section = "";
    for setting in declared() {
        if setting.section != section {
            section = setting.section;
            page.push_str(&format!(
                "\n## {section}\n\n| name | value | default | meaning |\n|---|---|---|---|\n"
            ));
        }
        let default = match setting.default.as_str() {
            "" => String::new(),
            default => format!("`{default}`"),
        };
        let aliases: String =
            setting.aliases.iter().map(|alias| format!(" Also `{alias}`.")).collect();
        page.push_str(&format!(
            "| `{}`{} | {} | {default} | {}{aliases} |\n",
            setting.name,
            if LIVE.contains(&setting.name) { " ●" } else { "" },
            setting.form,
            setting.doc
        ));
    }
    page
}

/// The text of `.env.example`.
#[must_use]
pub fn env_example() -> String {
    let mut example = ENV_INTRODUCTION.to_owned();
    let mut section = "";
    for setting in declared() {
        if setting.section != section {
            section = setting.section;
            example.push_str(&format!("\n# --- {section} ---\n"));
        }
        example.push_str(&format!("# {}={}\n", setting.name, setting.default));
    }
    example
}

/// Every setting, as read where nothing is set.
fn declared() -> Vec<Setting> {
    let mut reader = Reader::new(Sources::default(), Path::new(""), Vec::new());
    let config = settings::read(&mut reader);
    reader.finish(config).map(|config| config.settings).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn the_reference_page_is_in_step_with_the_program() {
        check("docs/configuration.md", &configuration_page());
    }

    #[test]
    fn the_reference_env_file_is_in_step_with_the_program() {
        check(".env.example", &env_example());
    }

    #[test]
    fn every_setting_has_one_name_a_form_and_a_meaning() {
        let settings = declared();
        let mut names: Vec<&str> = settings
            .iter()
            .flat_map(|setting| setting.aliases.iter().copied().chain([setting.name]))
            .collect();
        let count = names.len();
        names.sort_unstable();
        names.dedup();

        assert_eq!(names.len(), count);
        assert!(count > 60);
        assert!(
            settings.iter().all(|setting| !setting.form.is_empty() && setting.doc.ends_with('.'))
        );
    }

    fn check(file: &str, expected: &str) {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").join(file);
        if std::env::var_os("UPDATE_DOCS").is_some() {
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(&path, expected).unwrap();
        }

        let written = fs::read_to_string(&path).unwrap_or_default();
        assert!(
            written == expected,
            "{file} is out of step: UPDATE_DOCS=1 cargo test -p gemini-balance reference"
        );
    }
}
