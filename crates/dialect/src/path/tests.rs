//! Every crooked path that is understood, and every one that is not.

use super::*;

const OPENAI: Asker = Asker { has_google_key: false, has_google_client: false };
const GOOGLE: Asker = Asker { has_google_key: true, has_google_client: false };
const CLIENT: Asker = Asker { has_google_key: false, has_google_client: true };

#[test]
fn straight_paths_go_where_they_say() {
    check("POST /v1beta/models/m:generateContent", OPENAI, "/v1beta/models/m:generateContent");
    check("POST /v1/models/m:generateContent", OPENAI, "/v1/models/m:generateContent");
    check("POST /v1alpha/auth_tokens", GOOGLE, "/v1alpha/auth_tokens");
    check("POST /v1/chat/completions", OPENAI, "openai /chat/completions");
    check("POST /v1/chat/completions", GOOGLE, "openai /chat/completions");
    check("POST /v1beta/openai/chat/completions", OPENAI, "openai /chat/completions");
    check("POST /v1/images/generations", OPENAI, "openai /images/generations");
    check("POST /v1/audio/speech", OPENAI, "openai /audio/speech");
    check("GET /v1/responses/resp_1/input_items", OPENAI, "openai /responses/resp_1/input_items");
    check("GET /v1beta/models/m/operations/o", GOOGLE, "/v1beta/models/m/operations/o");
    check("PATCH /v1/cachedContents/c", OPENAI, "/v1/cachedContents/c");
    check("POST /v1/interactions/i/cancel", OPENAI, "/v1/interactions/i/cancel");
}

#[test]
fn a_call_may_be_of_another_model() {
    let of = |path: &str| resolve(path, "POST", &OPENAI).unwrap().of_model("n/1").path;

    assert_eq!(
        of("/v1beta/models/m-search:generateContent"),
        "/v1beta/models/n%2F1:generateContent"
    );
    assert_eq!(
        of("/v1beta/tunedModels/m:generateContent"),
        "/v1beta/tunedModels/m:generateContent"
    );
    assert_eq!(of("/v1/chat/completions"), "/chat/completions");
}

#[test]
fn a_shared_path_is_answered_in_the_dialect_of_the_asker() {
    for path in ["/models", "/models/m", "/files", "/batches/b", "/whatever/1"] {
        let request = format!("GET /v1{path}");
        check(&request, OPENAI, &format!("openai {path}"));
        check(&request, GOOGLE, &format!("/v1{path}"));
        check(&request, CLIENT, &format!("/v1{path}"));
    }
    check("GET /v1beta/models", OPENAI, "/v1beta/models");
    check("GET /v1beta/openai/models", GOOGLE, "openai /models");
    check("GET /models", GOOGLE, "/v1beta/models");
    check("GET /models", OPENAI, "openai /models");
}

#[test]
fn a_live_session_is_found_by_the_form_of_its_path() {
    let live = "/ws/google.ai.generativelanguage.v1beta.GenerativeService.BidiGenerateContent";
    for path in [
        live,
        "//ws/google.ai.generativelanguage.v1beta.GenerativeService.BidiGenerateContent",
        "/gemini//ws/google.ai.generativelanguage.v1beta.GenerativeService.BidiGenerateContent",
        "/v1beta/ws/google.ai.generativelanguage.v1beta.GenerativeService.BidiGenerateContent",
        "/ws/google.ai.generativelanguage.v1beta.GenerativeService/BidiGenerateContent",
    ] {
        check(&format!("GET {path}"), OPENAI, live);
        let target = resolve(path, "GET", &OPENAI).unwrap();
        assert_eq!((target.op, target.verb.as_deref()), (Op::Live, Some("BidiGenerateContent")));
    }
    for (version, method) in [
        ("v1", "BidiGenerateContent"),
        ("v1alpha", "BidiGenerateContentConstrained"),
        ("v1alpha", "BidiGenerateMusic"),
        ("v2beta1", "BidiComesLater"),
    ] {
        let path = format!("/ws/google.ai.generativelanguage.{version}.GenerativeService.{method}");
        check(&format!("GET {path}"), CLIENT, &path);
    }
    for path in [
        "/ws",
        "/ws/google.ai.generativelanguage.v1.GenerativeService.GenerateContent",
        "/ws/google.ai.generativelanguage.v1%2F.GenerativeService.BidiGenerateContent",
        "/ws/google.ai.generativelanguage.v1.GenerativeService.Bidi%20",
        "/ws/elsewhere.v1.GenerativeService.BidiGenerateContent",
    ] {
        assert!(resolve(path, "GET", &OPENAI).is_err(), "{path}");
    }
}

#[test]
fn crooked_paths_are_understood() {
    for (request, expected) in [
        ("POST /models/m:generateContent", "/v1beta/models/m:generateContent"),
        ("POST /chat/completions", "openai /chat/completions"),
        ("POST /embeddings", "openai /embeddings"),
        ("POST /v1/v1/chat/completions", "openai /chat/completions"),
        ("POST /v1beta/v1beta/models/m:countTokens", "/v1beta/models/m:countTokens"),
        ("POST /v1beta/v1/models/m:countTokens", "/v1/models/m:countTokens"),
        ("POST //v1//chat///completions/", "openai /chat/completions"),
        ("POST /v1beta/models/models/m:countTokens", "/v1beta/models/m:countTokens"),
        ("POST /v1beta/models/models%2Fm:countTokens", "/v1beta/models/m:countTokens"),
        ("POST /v1beta/models%2Fm:countTokens", "/v1beta/models/m:countTokens"),
        ("POST /v1beta/models%2Fmodels/m:countTokens", "/v1beta/models/m:countTokens"),
        ("GET /v1/models/models%2Fm", "openai /models/m"),
        ("POST /v1beta/models/m%3AgenerateContent", "/v1beta/models/m:generateContent"),
        ("POST /gemini/v1beta/models/m:generateContent", "/v1beta/models/m:generateContent"),
        ("GET /gemini/v1/models", "/v1/models"),
        (
            "POST /vertex-express/v1beta/models/m:generateContent",
            "/v1beta/models/m:generateContent",
        ),
        ("POST /openai/v1/chat/completions", "openai /chat/completions"),
        ("POST /openai/chat/completions", "openai /chat/completions"),
        ("POST /v1beta/openai/v1/embeddings", "openai /embeddings"),
        ("POST /hf/v1/chat/completions", "openai /chat/completions"),
        ("GET /hf/v1/models", "openai /models"),
        ("POST /v1beta/m:generateContent", "/v1beta/models/m:generateContent"),
        ("POST /m:generateContent", "/v1beta/models/m:generateContent"),
        ("POST /v1/publishers/google/models/m:generateContent", "/v1/models/m:generateContent"),
        (
            "POST /v1/projects/p/locations/l/publishers/google/models/m:predict",
            "/v1/models/m:predict",
        ),
        ("POST /v1beta/chat/completions", "openai /chat/completions"),
        ("POST /v1beta/upload/v1beta/files", "/upload/v1beta/files"),
        ("POST /upload/files", "/upload/v1beta/files"),
    ] {
        check(request, OPENAI, expected);
    }
}

#[test]
fn unknown_verbs_and_resources_are_forwarded() {
    check("POST /v1beta/models/m:doSomethingNew", OPENAI, "/v1beta/models/m:doSomethingNew");
    check("POST /v1/models/m:doSomethingNew", OPENAI, "/v1/models/m:doSomethingNew");
    check("POST /v1beta/brandNewThings/x:spin", OPENAI, "/v1beta/brandNewThings/x:spin");
    check("POST /v1/newThings", OPENAI, "openai /newThings");
    check("POST /upload/v1/files", OPENAI, "/upload/v1/files");
    check("GET /download/v1beta/files/f:download", OPENAI, "/download/v1beta/files/f:download");
    check("POST /v1/files:register", OPENAI, "/v1/files:register");
    check("POST /v1/batches/b:cancel", OPENAI, "/v1/batches/b:cancel");
    check(
        "POST /v1beta/tunedModels/t:generateContent",
        OPENAI,
        "/v1beta/tunedModels/t:generateContent",
    );
}

#[test]
fn below_a_beta_version_everything_but_a_chat_is_for_gemini() {
    check("POST /v1beta/embeddings", OPENAI, "/v1beta/embeddings");
    check("GET /v1alpha/files", OPENAI, "/v1alpha/files");
    check("POST /v1beta/chat/completions", OPENAI, "openai /chat/completions");
}

#[test]
fn a_probe_cannot_be_led_astray_by_a_model() {
    assert_eq!(count_tokens("a/../b?c:d"), "/v1beta/models/a%2F..%2Fb%3Fc%3Ad:countTokens");
}

#[test]
fn what_matches_nothing_gets_a_hint() {
    for path in ["/", "", "/favicon.ico", "/api/keys", "/a:b", "/x/v1", "/x/models"] {
        let error = resolve(path, "GET", &OPENAI).unwrap_err();
        assert_eq!(error, PathError::NotOurs, "{path}");
        assert_eq!(error.status(), 404);
        assert!(error.hint().contains("/v1/chat/completions"));
    }
}

#[test]
fn a_slip_is_told_together_with_what_would_be_right() {
    for (request, expected) in [
        ("GET /v1", "base URL for OpenAI clients"),
        ("POST /v1/", "POST /v1/chat/completions"),
        ("GET /v1/v1", "base URL for OpenAI clients"),
        ("GET /openai", "POST /v1/chat/completions"),
        ("GET /v1beta/openai/", "POST /v1/chat/completions"),
        ("GET /v1beta", "POST /v1beta/models/{model}:generateContent"),
        ("POST /v1beta/v1beta/", "without any path"),
        ("GET /gemini", "POST /v1beta/models/{model}:generateContent"),
        ("POST /v1beta/models", ":generateContent"),
        ("POST /v1beta/models/m", ":generateContent"),
        ("POST /models/m", ":generateContent"),
        ("POST /v1beta/models/m/generateContent", "a colon"),
        ("POST /v1/models/a/b/streamGenerateContent", "a colon"),
        ("POST /v1/chat", "/v1/chat/completions"),
        ("POST /chat/", "/v1/chat/completions"),
        ("POST /v1/messages", "not that of Anthropic"),
        ("POST /v1/messages/count_tokens", "not that of Anthropic"),
        ("POST /v1/chat/completions/chat/completions", "twice"),
        ("POST /v1/chat/completions/v1/chat/completions", "twice"),
        ("POST /v1beta/models/m:generateContent/v1beta/models/m:generateContent", "twice"),
        ("GET /x/v1/models", "twice"),
    ] {
        let (method, path) = request.split_once(' ').unwrap();
        let error = resolve(path, method, &OPENAI).unwrap_err();
        assert!(matches!(error, PathError::Slip(_)), "{request}: {error}");
        assert_eq!(error.status(), 404);
        assert!(error.hint().contains(expected), "{request}: {error}");
    }
}

#[test]
fn what_only_looks_like_a_slip_is_forwarded() {
    check("GET /v1/chat/completions/chat-1", OPENAI, "openai /chat/completions/chat-1");
    check("POST /v1/chat/completions/chat-1", OPENAI, "openai /chat/completions/chat-1");
    check("GET /v1beta/models/m", OPENAI, "/v1beta/models/m");
    check("GET /v1beta/models/generateContent", OPENAI, "/v1beta/models/generateContent");
    check("DELETE /v1/models/ft:x", OPENAI, "openai /models/ft%3Ax");
}

#[test]
fn a_model_is_always_exactly_one_segment() {
    for (model, expected) in [
        ("a%2Fb", "a%2Fb"),
        ("a/b", "a%2Fb"),
        ("a%3Fkey=x", "a%3Fkey%3Dx"),
        ("a?key=x", "a%3Fkey%3Dx"),
        ("a%23b", "a%23b"),
        ("a:b", "a%3Ab"),
        ("a%253Fb", "a%253Fb"),
        ("%E9%94%AE", "%E9%94%AE"),
    ] {
        let request = format!("POST /v1beta/models/{model}:generateContent");
        check(&request, OPENAI, &format!("/v1beta/models/{expected}:generateContent"));
    }
    check("GET /v1/models/google%2Fm", OPENAI, "openai /models/google%2Fm");
    check("GET /v1/models/google/m", OPENAI, "openai /models/google%2Fm");
    check("GET /v1/models/ft:gpt-4o:org::id", OPENAI, "openai /models/ft%3Agpt-4o%3Aorg%3A%3Aid");
}

#[test]
fn a_model_that_cannot_be_one_is_refused() {
    let long = "m".repeat(257);
    for model in ["..", "%2e%2e", "a%00", "a%0d%0ab", "%E2%80%AEa", "..%2f..%2fx"] {
        let path = format!("/v1beta/models/{model}/x:generateContent");
        let error = resolve(&path, "POST", &OPENAI).unwrap_err();
        assert!(matches!(error, PathError::BadPath(_)), "{model}: {error}");
    }
    for model in ["", "%20", long.as_str()] {
        let path = format!("/v1beta/models/{model}:generateContent");
        let error = resolve(&path, "POST", &OPENAI).unwrap_err();
        assert!(matches!(error, PathError::BadModel(_)), "{model}: {error}");
        assert_eq!(error.status(), 400);
    }
    let path = format!("/v1beta/models/{}:generateContent", "m".repeat(64 * 1024));
    assert!(resolve(&path, "POST", &OPENAI).is_err());
}

#[test]
fn the_kind_of_call_is_known() {
    for (request, op, model, verb) in [
        ("POST /v1/models/m:generateContent", Op::Generate, Some("m"), Some("generateContent")),
        (
            "POST /v1/models/m:streamGenerateContent",
            Op::StreamGenerate,
            Some("m"),
            Some("streamGenerateContent"),
        ),
        ("POST /v1/models/m:countTokens", Op::Count, Some("m"), Some("countTokens")),
        ("POST /v1/models/m:batchEmbedContents", Op::Embed, Some("m"), Some("batchEmbedContents")),
        ("POST /v1/models/m:predict", Op::Other, Some("m"), Some("predict")),
        (
            "POST /v1beta/tunedModels/t:generateContent",
            Op::Generate,
            Some("tunedModels/t"),
            Some("generateContent"),
        ),
        ("GET /v1beta/models/a%2Fb", Op::ModelGet, Some("a/b"), None),
        ("GET /v1beta/models", Op::ModelList, None, None),
        ("GET /v1/models", Op::ModelList, None, None),
        ("HEAD /v1/models/m", Op::ModelGet, Some("m"), None),
        ("DELETE /v1/models/m", Op::Other, Some("m"), None),
        ("POST /v1/chat/completions", Op::Chat, None, None),
        ("GET /v1/chat/completions/c", Op::Other, None, None),
        ("POST /v1/completions", Op::Completions, None, None),
        ("POST /v1/embeddings", Op::Embeddings, None, None),
        ("POST /v1/images/edits", Op::Images, None, None),
        ("POST /v1/audio/transcriptions", Op::Audio, None, None),
        ("POST /v1/responses", Op::Responses, None, None),
        ("POST /v1beta/interactions", Op::Responses, None, None),
        ("GET /v1beta/operations/o", Op::Other, None, None),
    ] {
        let (method, path) = request.split_once(' ').unwrap();
        let target = resolve(path, method, &OPENAI).unwrap();
        assert_eq!(target.op, op, "{request}");
        assert_eq!(target.model.as_deref(), model, "{request}");
        assert_eq!(target.verb.as_deref(), verb, "{request}");
    }
}

#[test]
fn a_path_that_leads_nowhere_is_refused_in_a_likely_dialect() {
    assert_eq!(guess("/v1beta/", &OPENAI), Dialect::Gemini);
    assert_eq!(guess("/v1beta/openai/", &GOOGLE), Dialect::OpenAi);
    assert_eq!(guess("/x", &GOOGLE), Dialect::Gemini);
    assert_eq!(guess("/x", &OPENAI), Dialect::OpenAi);
}

fn check(request: &str, asker: Asker, expected: &str) {
    let (method, path) = request.split_once(' ').unwrap();
    let target = resolve(path, method, &asker).unwrap();
    let outcome = match target.dialect {
        Dialect::OpenAi => format!("openai {}", target.path),
        Dialect::Gemini => target.path,
    };
    assert_eq!(outcome, expected, "{request}");
}
