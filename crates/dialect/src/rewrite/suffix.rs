//! Endings of model names that mean something: `-search`, `-image`, `-non-thinking`, as the callers
//! of snailyp/gemini-balance write them.
//!
//! The ending comes off, and what it asks for goes into the body, where Google reads it. What the
//! caller says there about the same thing stays as it is. Sources: its
//! `app/service/chat/gemini_chat_service.py` for the meanings; Google's pages on thinking and on
//! OpenAI compatibility for the fields.

use std::borrow::Cow;

use serde_json::Value;

use crate::Dialect;
use crate::members;
use crate::path::Op;
use crate::rewrite::{Edit, apply, remove, set};

const SEARCH: &str = "-search";
const IMAGE: &str = "-image";
const NON_THINKING: &str = "-non-thinking";
/// Models whose pictures are asked for by a field and not by the model's name. Later models have
/// `-image` in their own names.
const WITH_PICTURES: &str = "gemini-2.0-flash";

/// What the endings of a model's name ask for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Suffixes {
    /// Google's search as a tool.
    pub search: bool,
    /// Pictures beside text.
    pub image: bool,
    /// As little thinking as the model allows.
    pub non_thinking: Option<LeastThinking>,
}

/// How a model is told to think as little as it can.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LeastThinking {
    /// Not at all, by a budget of 0.
    None,
    /// By the smallest budget of a model that cannot do without, 128 tokens.
    Budget,
    /// By the level `minimal`.
    Minimal,
    /// By the level `low`, the lowest that there is for some models.
    Low,
    /// It does not think anyway.
    Never,
}

/// Takes known endings off the name of a Gemini model; `None` if there are none.
pub fn take_off(model: &str) -> Option<(&str, Suffixes)> {
    let mut suffixes = Suffixes::default();
    let (mut base, mut is_non_thinking) = (model, false);
    loop {
        if let Some(rest) = base.strip_suffix(NON_THINKING) {
            is_non_thinking = true;
            base = rest;
        } else if let Some(rest) = base.strip_suffix(SEARCH) {
            suffixes.search = true;
            base = rest;
        } else if let Some(rest) = base.strip_suffix(IMAGE)
            && rest.starts_with(WITH_PICTURES)
        {
            suffixes.image = true;
            base = rest;
        } else {
            break;
        }
    }
    if is_non_thinking {
        suffixes.non_thinking = Some(least_thinking(base));
    }
    let is_gemini = base.starts_with("gemini-") && "gemini-".len() < base.len();
    (is_gemini && base.len() < model.len()).then_some((base, suffixes))
}

fn least_thinking(model: &str) -> LeastThinking {
    let is = |words: &str| model.contains(words);
    if is("gemini-1") || is("gemini-2.0") {
        LeastThinking::Never
    } else if is("gemini-2.5-pro") {
        LeastThinking::Budget
    } else if is("gemini-2") {
        LeastThinking::None
    } else if is("-pro") {
        LeastThinking::Low
    } else {
        LeastThinking::Minimal
    }
}

impl Suffixes {
    /// Why this cannot be asked for in a dialect, in words for the caller.
    pub fn refusal(self, dialect: Dialect) -> Option<&'static str> {
        match dialect {
            Dialect::OpenAi if self.search => Some(
                "the ending -search works with Gemini's own API alone \
                 (/v1beta/models/{model}:generateContent): Google's OpenAI endpoint has no search",
            ),
            Dialect::OpenAi if self.image => Some(
                "the ending -image works with Gemini's own API alone \
                 (/v1beta/models/{model}:generateContent)",
            ),
            Dialect::OpenAi | Dialect::Gemini => None,
        }
    }

    /// Whether a kind of call has a body that this goes into.
    pub fn concern(op: Op) -> bool {
        matches!(op, Op::Generate | Op::StreamGenerate | Op::Chat)
    }

    /// Puts what is asked for into a body; `None` if there is nothing to do.
    pub(super) fn splice(
        self,
        text: &str,
        dialect: Dialect,
    ) -> Result<Option<String>, serde_json::Error> {
        match dialect {
            Dialect::OpenAi => self.into_chat(text),
            Dialect::Gemini => self.into_generate(text),
        }
    }

    /// The name in the body loses its endings, and `reasoning_effort` says the least.
    fn into_chat(self, text: &str) -> Result<Option<String>, serde_json::Error> {
        const SAID_BY_CALLER: [&str; 4] =
            ["reasoning_effort", "extra_body", "thinking_budget", "include_thoughts"];
        let mut outcome = shorten_model(text)?;
        let effort = match self.non_thinking {
            Some(LeastThinking::None) => "\"none\"",
            Some(LeastThinking::Budget | LeastThinking::Minimal | LeastThinking::Low) => {
                "\"minimal\""
            }
            Some(LeastThinking::Never) | None => return Ok(outcome),
        };
        let text = outcome.as_deref().unwrap_or(text);
        if !has_any(text, &SAID_BY_CALLER)? {
            outcome = set(text, &[], &[("reasoning_effort", effort)])?.or(outcome);
        }
        Ok(outcome)
    }

    fn into_generate(self, text: &str) -> Result<Option<String>, serde_json::Error> {
        let mut outcome = None;
        if self.search {
            outcome = add_search(text)?;
        }
        if self.image {
            let text = outcome.as_deref().unwrap_or(text);
            outcome = ask_for_pictures(text)?.or(outcome);
        }
        if let Some(least) = self.non_thinking {
            let text = outcome.as_deref().unwrap_or(text);
            outcome = think_little(text, least)?.or(outcome);
        }
        Ok(outcome)
    }
}

/// The last value of a member with one of these names, and the name as it is written.
fn last<'t>(
    object: &'t str,
    names: &[&'static str],
) -> Result<Option<(&'static str, usize, &'t str)>, serde_json::Error> {
    let mut found = None;
    members::each(object, |member| {
        if let Some(name) = names.iter().find(|name| member.key == **name) {
            found = Some((*name, member.value_at, member.value));
        }
    })?;
    Ok(found)
}

fn has_any(object: &str, names: &[&'static str]) -> Result<bool, serde_json::Error> {
    Ok(last(object, names)?.is_some_and(|(_, _, value)| value != "null"))
}

fn shorten_model(text: &str) -> Result<Option<String>, serde_json::Error> {
    let Some((_, at, raw)) = last(text, &["model"])? else {
        return Ok(None);
    };
    let Ok(Value::String(model)) = serde_json::from_str::<Value>(raw) else {
        return Ok(None);
    };
    let bare = model.strip_prefix("models/").unwrap_or(&model);
    let Some((base, _)) = take_off(bare) else {
        return Ok(None);
    };
    let kept = model.len() - bare.len() + base.len();
    let short = Value::from(model.get(..kept).unwrap_or(base)).to_string();
    Ok(Some(apply(text, &[Edit { from: at, to: at + raw.len(), with: short }])))
}

/// Adds the search to the tools, unless they are functions, with which it does not go together, or
/// the answer has to be JSON, with which tools do not.
fn add_search(text: &str) -> Result<Option<String>, serde_json::Error> {
    const TOOL: &str = r#"{"googleSearch":{}}"#;
    if wants_json(text)? || calls_functions(text)? {
        return Ok(None);
    }
    let Some((_, at, tools)) = last(text, &["tools"])?.filter(|(_, _, tools)| *tools != "null")
    else {
        return set(text, &[], &[("tools", &format!("[{TOOL}]"))]);
    };
    let is_there =
        ["functionDeclarations", "function_declarations", "googleSearch", "google_search"]
            .iter()
            .any(|word| tools.contains(word));
    if is_there || !tools.starts_with('[') {
        return Ok(None);
    }
    let end = at + tools.len() - 1;
    let is_empty = tools.trim_start_matches('[').trim_start().starts_with(']');
    let with: Cow<'_, str> = if is_empty { TOOL.into() } else { format!(",{TOOL}").into() };
    Ok(Some(apply(text, &[Edit { from: end, to: end, with: with.into_owned() }])))
}

fn wants_json(text: &str) -> Result<bool, serde_json::Error> {
    let Some((_, _, config)) = last(text, &CONFIG)? else {
        return Ok(false);
    };
    if !config.starts_with('{') {
        return Ok(false);
    }
    let kind = last(config, &["responseMimeType", "response_mime_type"])?;
    Ok(kind.is_some_and(|(_, _, kind)| kind == r#""application/json""#))
}

fn calls_functions(text: &str) -> Result<bool, serde_json::Error> {
    let contents = last(text, &["contents"])?;
    Ok(contents.is_some_and(|(_, _, contents)| {
        contents.contains("\"functionCall\"") || contents.contains("\"function_call\"")
    }))
}

/// The two spellings of the object with the settings of an answer.
const CONFIG: [&str; 2] = ["generationConfig", "generation_config"];

/// The object with the settings of an answer: its name as it is written, and whether it says one of
/// these already.
fn config(text: &str, names: &[&'static str]) -> Result<(&'static str, bool), serde_json::Error> {
    match last(text, &CONFIG)? {
        Some((name, _, config)) if config.starts_with('{') => Ok((name, has_any(config, names)?)),
        Some((name, _, _)) => Ok((name, false)),
        None => Ok(("generationConfig", false)),
    }
}

fn ask_for_pictures(text: &str) -> Result<Option<String>, serde_json::Error> {
    let names = ["responseModalities", "response_modalities"];
    let (name, is_said) = config(text, &names)?;
    let outcome = match is_said {
        true => None,
        false => set(text, &[name], &[("responseModalities", r#"["TEXT","IMAGE"]"#)])?,
    };
    // These models take no instruction together with pictures.
    let instructions = ["systemInstruction", "system_instruction"];
    let text = outcome.as_deref().unwrap_or(text);
    match last(text, &instructions)?.is_some() {
        true => remove(text, &instructions).map(Some),
        false => Ok(outcome),
    }
}

fn think_little(text: &str, least: LeastThinking) -> Result<Option<String>, serde_json::Error> {
    let thinking = match least {
        LeastThinking::None => r#"{"thinkingBudget":0}"#,
        LeastThinking::Budget => r#"{"thinkingBudget":128}"#,
        LeastThinking::Minimal => r#"{"thinkingLevel":"minimal"}"#,
        LeastThinking::Low => r#"{"thinkingLevel":"low"}"#,
        LeastThinking::Never => return Ok(None),
    };
    let (name, is_said) = config(text, &["thinkingConfig", "thinking_config"])?;
    match is_said {
        true => Ok(None),
        false => set(text, &[name], &[("thinkingConfig", thinking)]),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn endings_come_off_and_names_of_models_stay() {
        let base = |model| take_off(model).map(|(base, _)| base);

        assert_eq!(base("gemini-2.5-flash-search"), Some("gemini-2.5-flash"));
        assert_eq!(base("gemini-2.5-flash-search-non-thinking"), Some("gemini-2.5-flash"));
        assert_eq!(base("gemini-2.5-flash-non-thinking-search"), Some("gemini-2.5-flash"));
        assert_eq!(base("gemini-2.0-flash-exp-image"), Some("gemini-2.0-flash-exp"));
        for model in [
            "gemini-2.5-flash-image",
            "gemini-3-pro-image",
            "gemini-2.5-flash",
            "gpt-4o-search",
            "imagen-4-image",
            "-search",
            "gemini--search",
            "",
        ] {
            assert_eq!(base(model), None, "{model}");
        }
    }

    #[test]
    fn each_model_is_told_to_think_little_in_its_own_way() {
        for (model, expected) in [
            ("gemini-2.0-flash", LeastThinking::Never),
            ("gemini-2.5-flash", LeastThinking::None),
            ("gemini-2.5-flash-lite", LeastThinking::None),
            ("gemini-2.5-pro", LeastThinking::Budget),
            ("gemini-3.1-pro", LeastThinking::Low),
            ("gemini-3-flash", LeastThinking::Minimal),
        ] {
            assert_eq!(least_thinking(model), expected, "{model}");
        }
    }

    #[test]
    fn search_is_added_to_tools_that_it_goes_with() {
        let search = Suffixes { search: true, ..Suffixes::default() };
        check(search, r#"{"contents":[]}"#, r#"{"contents":[],"tools":[{"googleSearch":{}}]}"#);
        check(search, r#"{"tools":[ ]}"#, r#"{"tools":[ {"googleSearch":{}}]}"#);
        check(
            search,
            r#"{"tools":[{"urlContext":{}}],"a":1}"#,
            r#"{"tools":[{"urlContext":{}},{"googleSearch":{}}],"a":1}"#,
        );
        for body in [
            r#"{"tools":[{"functionDeclarations":[]}]}"#,
            r#"{"tools":[{"google_search":{}}]}"#,
            r#"{"contents":[{"parts":[{"functionCall":{}}]}]}"#,
            r#"{"generationConfig":{"responseMimeType":"application/json"}}"#,
        ] {
            same(search, body);
        }
    }

    #[test]
    fn pictures_are_asked_for_without_an_instruction() {
        let image = Suffixes { image: true, ..Suffixes::default() };
        check(
            image,
            r#"{"systemInstruction":{"parts":[]},"contents":[]}"#,
            r#"{"contents":[],"generationConfig":{"responseModalities":["TEXT","IMAGE"]}}"#,
        );
        same(image, r#"{"generation_config":{"response_modalities":["IMAGE"]}}"#);
    }

    #[test]
    fn what_the_caller_says_about_thinking_stays() {
        let none = Suffixes { non_thinking: Some(LeastThinking::None), ..Suffixes::default() };
        check(
            none,
            r#"{"generationConfig":{"topK":1}}"#,
            r#"{"generationConfig":{"topK":1,"thinkingConfig":{"thinkingBudget":0}}}"#,
        );
        check(
            none,
            r#"{"generation_config":{}}"#,
            r#"{"generation_config":{"thinkingConfig":{"thinkingBudget":0}}}"#,
        );
        same(none, r#"{"generationConfig":{"thinkingConfig":{"thinkingBudget":5}}}"#);
    }

    #[test]
    fn a_chat_loses_the_ending_and_gains_the_effort() {
        let none = Suffixes { non_thinking: Some(LeastThinking::None), ..Suffixes::default() };
        let chat = |body: &str| none.splice(body, Dialect::OpenAi).unwrap();

        assert_eq!(
            chat(r#"{"model":"models/gemini-2.5-flash-non-thinking","n":1}"#).as_deref(),
            Some(r#"{"model":"models/gemini-2.5-flash","n":1,"reasoning_effort":"none"}"#)
        );
        assert_eq!(
            chat(r#"{"model":"gemini-2.5-flash\u002dnon-thinking","reasoning_effort":"low"}"#)
                .as_deref(),
            Some(r#"{"model":"gemini-2.5-flash","reasoning_effort":"low"}"#)
        );
    }

    fn check(suffixes: Suffixes, body: &str, expected: &str) {
        let outcome = suffixes.splice(body, Dialect::Gemini).unwrap();

        assert_eq!(outcome.as_deref(), Some(expected), "{body}");
    }

    fn same(suffixes: Suffixes, body: &str) {
        assert_eq!(suffixes.splice(body, Dialect::Gemini).unwrap(), None, "{body}");
    }
}
