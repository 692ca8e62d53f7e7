//! How many tokens an answer cost, in one vocabulary for every spelling on the wire.
//!
//! Streams repeat their counts and leave fields out as they please, so what is kept is the last value
//! of each field as it was sent; the sums are made from those.

/// Tokens of one exchange. A field is `None` when the upstream did not say.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Usage {
    /// Everything that was read: the prompt with its cached part, and what tools fed back.
    pub prompt: Option<u64>,
    /// Everything that was written, thinking included, as it is billed: OpenAI's
    /// `completion_tokens`, Gemini's candidates plus thoughts.
    pub completion: Option<u64>,
    /// The part of `prompt` that came out of a cache.
    pub cached: Option<u64>,
    /// The part of `completion` that was thinking.
    pub thinking: Option<u64>,
    /// The upstream's own total, else prompt plus completion.
    pub total: Option<u64>,
}

impl Usage {
    /// Both together; unknown is only what neither knows.
    #[must_use]
    pub fn plus(self, other: Self) -> Self {
        Self {
            prompt: sum(self.prompt, other.prompt),
            completion: sum(self.completion, other.completion),
            cached: sum(self.cached, other.cached),
            thinking: sum(self.thinking, other.thinking),
            total: sum(self.total, other.total),
        }
    }
}

/// One number of a usage object as the wire means it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Count {
    /// Read tokens without what tools fed back.
    Prompt,
    /// Tokens that tools fed back into the prompt.
    ToolUse,
    /// Written tokens without thinking (Gemini).
    Answer,
    /// Written tokens with thinking (OpenAI).
    Output,
    Thoughts,
    Cached,
    Total,
}

impl Count {
    /// Recognises a key of a usage object or of its `…_details`.
    pub(crate) fn named(key: &[u8]) -> Option<Self> {
        match key {
            b"promptTokenCount" | b"prompt_token_count" => Some(Self::Prompt),
            b"prompt_tokens" | b"input_tokens" | b"total_input_tokens" => Some(Self::Prompt),
            b"toolUsePromptTokenCount" | b"tool_use_prompt_token_count" => Some(Self::ToolUse),
            b"total_tool_use_tokens" => Some(Self::ToolUse),
            b"candidatesTokenCount" | b"candidates_token_count" => Some(Self::Answer),
            b"responseTokenCount" | b"response_token_count" => Some(Self::Answer),
            b"total_output_tokens" => Some(Self::Answer),
            b"completion_tokens" | b"output_tokens" => Some(Self::Output),
            b"thoughtsTokenCount" | b"thoughts_token_count" => Some(Self::Thoughts),
            b"total_thought_tokens" | b"reasoning_tokens" => Some(Self::Thoughts),
            b"cachedContentTokenCount" | b"cached_content_token_count" => Some(Self::Cached),
            b"total_cached_tokens" | b"cached_tokens" => Some(Self::Cached),
            b"totalTokenCount" | b"total_token_count" | b"total_tokens" => Some(Self::Total),
            _ => None,
        }
    }
}

/// The last value of each count that went by.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Counts {
    prompt: Option<u64>,
    tool_use: Option<u64>,
    answer: Option<u64>,
    output: Option<u64>,
    thoughts: Option<u64>,
    cached: Option<u64>,
    total: Option<u64>,
}

impl Counts {
    pub(crate) fn set(&mut self, count: Count, tokens: u64) {
        let field = match count {
            Count::Prompt => &mut self.prompt,
            Count::ToolUse => &mut self.tool_use,
            Count::Answer => &mut self.answer,
            Count::Output => &mut self.output,
            Count::Thoughts => &mut self.thoughts,
            Count::Cached => &mut self.cached,
            Count::Total => &mut self.total,
        };
        *field = Some(tokens);
    }

    /// Takes over what later ones say.
    pub(crate) fn update(&mut self, later: &Self) {
        let Self { prompt, tool_use, answer, output, thoughts, cached, total } = later;
        for (field, later) in [
            (&mut self.prompt, prompt),
            (&mut self.tool_use, tool_use),
            (&mut self.answer, answer),
            (&mut self.output, output),
            (&mut self.thoughts, thoughts),
            (&mut self.cached, cached),
            (&mut self.total, total),
        ] {
            *field = later.or(*field);
        }
    }

    pub(crate) fn usage(&self) -> Usage {
        let prompt = sum(self.prompt, self.tool_use);
        let completion = self.output.or_else(|| sum(self.answer, self.thoughts));
        Usage {
            prompt,
            completion,
            cached: self.cached,
            thinking: self.thoughts,
            total: self.total.or_else(|| sum(prompt, completion)),
        }
    }
}

/// Adds what is known; unknown only if both are.
fn sum(left: Option<u64>, right: Option<u64>) -> Option<u64> {
    match (left, right) {
        (None, None) => None,
        (left, right) => Some(left.unwrap_or(0).saturating_add(right.unwrap_or(0))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn gemini_thoughts_and_tool_results_are_added_to_what_they_are_billed_as() {
        let usage = usage(&[
            ("promptTokenCount", 12),
            ("toolUsePromptTokenCount", 3),
            ("candidatesTokenCount", 109),
            ("thoughtsTokenCount", 242),
            ("cachedContentTokenCount", 8),
            ("totalTokenCount", 366),
        ]);

        let expected = Usage {
            prompt: Some(15),
            completion: Some(351),
            cached: Some(8),
            thinking: Some(242),
            total: Some(366),
        };
        assert_eq!(usage, expected);
    }

    #[test]
    fn openai_completion_already_includes_the_reasoning() {
        let usage =
            usage(&[("prompt_tokens", 10), ("completion_tokens", 50), ("reasoning_tokens", 40)]);

        assert_eq!(usage.completion, Some(50));
        assert_eq!(usage.thinking, Some(40));
        assert_eq!(usage.total, Some(60));
    }

    #[test]
    fn counts_of_absurd_size_do_not_overflow() {
        let usage = usage(&[("promptTokenCount", u64::MAX), ("candidatesTokenCount", 1)]);

        assert_eq!(usage.total, Some(u64::MAX));
    }

    fn usage(fields: &[(&str, u64)]) -> Usage {
        let mut counts = Counts::default();
        for (key, tokens) in fields {
            counts.set(Count::named(key.as_bytes()).unwrap(), *tokens);
        }
        counts.usage()
    }
}
