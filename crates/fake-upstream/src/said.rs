//! What a believable answer says, whatever the dialect: a function of what was asked.

use crate::options::Options;

const FILLER: &str = " lorem ipsum dolor sit amet";
/// The length of an embedding when none is asked for.
const DIMENSIONS: usize = 8;
const DIMENSIONS_MAX: usize = 4096;

/// The parts of a request that matter to the answer.
pub(crate) struct Asked {
    /// All text of the prompt.
    pub(crate) prompt: String,
    /// The text of the last turn; empty if it brings a tool's result.
    pub(crate) last: String,
    /// The name of the first tool, if there are tools.
    pub(crate) tool: Option<String>,
}

/// The answer before it is put into a dialect.
pub(crate) struct Said {
    pub(crate) text: String,
    /// The name of the tool called in place of the text.
    pub(crate) tool: Option<String>,
    pub(crate) prompt_tokens: u64,
    pub(crate) answer_tokens: u64,
    pub(crate) thought_tokens: u64,
    /// Differs from prompt to prompt.
    pub(crate) id: String,
}

impl Said {
    pub(crate) fn new(asked: Asked, options: &Options) -> Self {
        let wants_tool = asked.last.contains("tool") || options.tool_call;
        let named = if options.tool_call && asked.tool.is_none() {
            Some("lookup".to_owned())
        } else {
            asked.tool
        };
        let tool = named.filter(|_| wants_tool);
        let text = filled(
            options.text.clone().unwrap_or_else(|| format!("echo: {}", asked.last)),
            options,
        );
        Self {
            prompt_tokens: tokens(&asked.prompt),
            answer_tokens: tokens(&text),
            thought_tokens: if options.thought_signature { 5 } else { 0 },
            id: format!("{:016x}", digest(&asked.prompt)),
            text,
            tool,
        }
    }

    pub(crate) fn total_tokens(&self) -> u64 {
        self.prompt_tokens + self.answer_tokens + self.thought_tokens
    }

    /// The text in so many pieces of about one size; at least one piece.
    pub(crate) fn pieces(&self, count: usize) -> Vec<&str> {
        let count = count.max(1);
        let cut = |number: usize| {
            let near = self.text.len() * number / count;
            self.text.ceil_char_boundary(near)
        };
        (0..count).map(|number| self.text.get(cut(number)..cut(number + 1)).unwrap_or("")).collect()
    }
}

fn filled(mut text: String, options: &Options) -> String {
    let missing = options.text_bytes.max(options.chunks).saturating_sub(text.len());
    text.extend(FILLER.chars().cycle().take(missing));
    text
}

/// The number of tokens of a text: a quarter of its bytes, rounded up.
pub(crate) fn tokens(text: &str) -> u64 {
    u64::try_from(text.len().div_ceil(4)).unwrap_or(u64::MAX)
}

/// An embedding that depends on the text alone.
pub(crate) fn embedding(text: &str, dimensions: Option<u64>) -> Vec<f32> {
    let dimensions = dimensions.and_then(|asked| usize::try_from(asked).ok()).unwrap_or(DIMENSIONS);
    let mut state = digest(text);
    let value = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        let high = u16::try_from(state >> 48).unwrap_or_default();
        f32::from(high) / 32_768.0 - 1.0
    };
    std::iter::repeat_with(value).take(dimensions.min(DIMENSIONS_MAX)).collect()
}

/// FNV-1a; never 0 for the texts met here.
fn digest(text: &str) -> u64 {
    text.bytes().fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pieces_join_to_the_text_and_never_split_a_character() {
        for count in 0..12 {
            let said = said("日本語 🎉é", &Options::default());

            assert_eq!(said.pieces(count).len(), count.max(1));
            assert_eq!(said.pieces(count).concat(), said.text);
        }
    }

    #[test]
    fn the_text_is_filled_up_to_the_size_asked_for() {
        let options = Options { text_bytes: 1000, ..Options::default() };

        assert_eq!(said("hi", &options).text.len(), 1000);
        assert_eq!(said("hi", &Options::default()).text, "echo: hi");
    }

    fn said(last: &str, options: &Options) -> Said {
        let asked = Asked { prompt: last.to_owned(), last: last.to_owned(), tool: None };
        Said::new(asked, options)
    }
}
