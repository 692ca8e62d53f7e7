//! The names that tell the dialects apart. A name that is missing here is forwarded all the same, once
//! the version or the asker tells the dialect.

/// `files` of `files:register`.
pub(super) fn name_of(segment: &str) -> &str {
    segment.split_once(':').map_or(segment, |(name, _)| name)
}

/// Only OpenAI has these.
pub(super) fn is_openai_name(head: &str) -> bool {
    matches!(
        head,
        "chat"
            | "completions"
            | "embeddings"
            | "images"
            | "audio"
            | "moderations"
            | "responses"
            | "realtime"
            | "videos"
            | "fine_tuning"
            | "vector_stores"
            | "uploads"
            | "assistants"
            | "threads"
    )
}

/// Only Gemini has these; a verb may follow.
pub(super) fn is_gemini_name(head: &str) -> bool {
    matches!(
        name_of(head),
        "cachedContents"
            | "tunedModels"
            | "dynamic"
            | "interactions"
            | "operations"
            | "generatedFiles"
            | "fileSearchStores"
            | "corpora"
            | "agents"
            | "environments"
            | "triggers"
            | "webhooks"
            | "voices"
            | "credentials"
            | "decisions"
            | "auth_tokens"
    )
}

/// Both dialects have these.
pub(super) fn is_shared_name(head: &str) -> bool {
    matches!(head, "models" | "files" | "batches")
}

/// What models can do, PaLM's old verbs included. It only matters where a path says nothing else.
pub(super) fn is_known_verb(verb: &str) -> bool {
    matches!(
        verb,
        "generateContent"
            | "streamGenerateContent"
            | "countTokens"
            | "embedContent"
            | "batchEmbedContents"
            | "predict"
            | "predictLongRunning"
            | "batchGenerateContent"
            | "asyncBatchEmbedContent"
            | "generateAnswer"
            | "generateText"
            | "generateMessage"
            | "embedText"
            | "batchEmbedText"
            | "countTextTokens"
            | "countMessageTokens"
    )
}
