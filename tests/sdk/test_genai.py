"""google-genai, in the version installed and with the API version it uses by default."""

import asyncio
import base64
import json

import pytest
from google import genai
from google.genai import errors, types
from stage import MODEL, SERVICE_KEYS

DEFAULT_VERSION = "v1" if int(genai.__version__.split(".")[0]) >= 3 else "v1beta"
WEATHER = types.Tool(
    function_declarations=[
        types.FunctionDeclaration(
            name="weather",
            description="Tells the weather.",
            parameters_json_schema={"type": "object", "properties": {"city": {"type": "string"}}},
        )
    ]
)


@pytest.fixture
def client(stage):
    return connect(stage.gateway)


def test_a_plain_answer_arrives_with_text_and_usage(client, stage, upstream):
    answer = client.models.generate_content(model=MODEL, contents="hello")

    assert answer.text == "echo: hello"
    assert answer.candidates[0].finish_reason == types.FinishReason.STOP
    usage = answer.usage_metadata
    assert usage.prompt_token_count == 2
    counts = (usage.prompt_token_count, usage.candidates_token_count, usage.thoughts_token_count or 0)
    assert usage.total_token_count == sum(counts)
    assert upstream.last()["path"] == f"/{DEFAULT_VERSION}/models/{MODEL}:generateContent"


def test_a_stream_arrives_chunk_by_chunk(client, upstream):
    upstream.on({"default": {"chunks": 5}})

    chunks = list(client.models.generate_content_stream(model=MODEL, contents="a longer question"))

    assert len(chunks) == 5
    assert text_of(chunks) == "echo: a longer question"
    assert chunks[-1].usage_metadata.total_token_count > 0
    assert chunks[-1].candidates[0].finish_reason == types.FinishReason.STOP


def test_a_stream_is_not_collected_before_it_is_passed_on(client, upstream):
    upstream.on({"faulty": {"answer": {"default": {"chunks": 4}}, "faults": [
        {"cut": {"at": {"events": 1}, "ending": "stall"}}
    ]}})

    stream = client.models.generate_content_stream(model=MODEL, contents="hello")

    assert next(iter(stream)).text


def test_the_async_client_works_alike(stage, upstream):
    async def run():
        client = connect(stage.gateway).aio
        plain = await client.models.generate_content(model=MODEL, contents="hello")
        stream = await client.models.generate_content_stream(model=MODEL, contents="hello")
        return plain, [chunk async for chunk in stream]

    plain, chunks = asyncio.run(run())

    assert plain.text == "echo: hello"
    assert text_of(chunks) == "echo: hello"


def test_a_function_call_makes_the_round_trip_with_its_signature(client, upstream):
    config = types.GenerateContentConfig(
        tools=[WEATHER],
        automatic_function_calling=types.AutomaticFunctionCallingConfig(disable=True),
    )
    question = types.UserContent("use the tool")

    first = client.models.generate_content(model=MODEL, contents=question, config=config)

    part = first.candidates[0].content.parts[0]
    assert part.function_call.name == "weather"
    assert part.thought_signature

    reply = types.Part.from_function_response(name="weather", response={"sky": "clear"})
    turns = [question, first.candidates[0].content, types.Content(role="user", parts=[reply])]
    second = client.models.generate_content(model=MODEL, contents=turns, config=config)

    assert second.text is not None
    sent = upstream.last()["body"]["contents"][1]["parts"][0]["thoughtSignature"]
    assert decoded(sent) == part.thought_signature


def test_a_streamed_function_call_arrives_whole(client):
    config = types.GenerateContentConfig(tools=[WEATHER])

    chunks = client.models.generate_content_stream(model=MODEL, contents="use the tool", config=config)

    calls = [call for chunk in chunks for call in chunk.function_calls or []]
    assert [call.name for call in calls] == ["weather"]


def test_a_chat_sends_its_history(client, upstream):
    chat = client.chats.create(model=MODEL)

    chat.send_message("one")
    answer = chat.send_message("two")

    assert answer.text == "echo: two"
    roles = [turn["role"] for turn in upstream.last()["body"]["contents"]]
    assert roles == ["user", "model", "user"]


def test_structured_output_is_parsed(client, upstream):
    upstream.on({"default": {"text": '{"city": "Oslo"}'}})
    schema = {"type": "object", "properties": {"city": {"type": "string"}}}
    config = types.GenerateContentConfig(
        response_mime_type="application/json", response_json_schema=schema
    )

    answer = client.models.generate_content(model=MODEL, contents="hello", config=config)

    assert answer.parsed == {"city": "Oslo"}
    assert upstream.last()["body"]["generationConfig"]["responseJsonSchema"] == schema


def test_settings_of_thinking_and_safety_pass(client, upstream):
    config = types.GenerateContentConfig(
        system_instruction="be brief",
        thinking_config=types.ThinkingConfig(include_thoughts=True, thinking_level="LOW"),
        safety_settings=[
            types.SafetySetting(category="HARM_CATEGORY_HARASSMENT", threshold="BLOCK_NONE")
        ],
    )

    client.models.generate_content(model=MODEL, contents="hello", config=config)

    body = upstream.last()["body"]
    thinking = body["generationConfig"]["thinkingConfig"]
    assert thinking.get("thinkingLevel", thinking.get("thinking_level")) == "LOW"
    assert body["safetySettings"][0]["threshold"] == "BLOCK_NONE"
    assert body["systemInstruction"]["parts"] == [{"text": "be brief"}]


def test_a_field_the_sdk_does_not_know_reaches_the_upstream(client, upstream):
    config = types.GenerateContentConfig(
        http_options=types.HttpOptions(extra_body={"brandNew": {"depth": [1, 2]}})
    )

    client.models.generate_content(model=MODEL, contents="hello", config=config)

    assert upstream.last()["body"]["brandNew"] == {"depth": [1, 2]}


def test_a_blocked_prompt_is_an_answer_and_not_an_error(client, upstream):
    upstream.on({"default": {"block_reason": "PROHIBITED_CONTENT"}})

    answer = client.models.generate_content(model=MODEL, contents="hello")

    assert answer.prompt_feedback.block_reason == types.BlockedReason.PROHIBITED_CONTENT
    assert len(upstream.seen()) == 1


def test_tokens_are_counted(client):
    assert client.models.count_tokens(model=MODEL, contents="hello").total_tokens == 2


def test_embeddings_keep_their_order(client, upstream):
    answer = client.models.embed_content(model="gemini-embedding-001", contents=["one", "two"])
    alone = client.models.embed_content(model="gemini-embedding-001", contents="two")

    assert len(answer.embeddings) == 2
    assert answer.embeddings[1].values == alone.embeddings[0].values
    assert answer.embeddings[0].values != answer.embeddings[1].values
    assert upstream.last()["path"].endswith(":batchEmbedContents")


def test_models_are_listed_and_shown_in_the_gemini_dialect(client):
    names = [model.name for model in client.models.list()]

    assert names and all(name.startswith("models/") for name in names)
    shown = client.models.get(model=names[0])
    assert shown.name == names[0]


def test_the_user_key_stays_here_and_one_service_key_goes_up(client, gateway, upstream):
    client.models.generate_content(model=MODEL, contents="hello")

    seen = upstream.last()
    assert len(seen["credentials"]) == 1
    assert seen["credentials"][0] in SERVICE_KEYS
    assert gateway.user_key not in str(upstream.seen())


def test_an_unknown_user_key_is_a_401(gateway, upstream):
    stranger = connect(gateway, user_key="nobody-knows-this-key")

    with pytest.raises(errors.ClientError) as raised:
        stranger.models.generate_content(model=MODEL, contents="hello")

    assert (raised.value.code, raised.value.status) == (401, "UNAUTHENTICATED")
    assert upstream.seen() == []


def test_a_bad_request_comes_back_with_the_words_of_the_upstream(client, upstream):
    words = "Invalid JSON payload received. Unknown name \"x\" at 'contents[0]': Cannot find field."
    upstream.on({"status": json_error(400, "INVALID_ARGUMENT", words)})

    with pytest.raises(errors.ClientError) as raised:
        client.models.generate_content(model=MODEL, contents="hello")

    assert (raised.value.code, raised.value.status) == (400, "INVALID_ARGUMENT")
    assert raised.value.message == words
    assert len(upstream.seen()) == 1


def test_an_unknown_model_is_a_404(client, upstream):
    upstream.on({"status": json_error(404, "NOT_FOUND", "models/x is not found")})

    with pytest.raises(errors.ClientError) as raised:
        client.models.generate_content(model="x", contents="hello")

    assert (raised.value.code, raised.value.status) == (404, "NOT_FOUND")
    assert len(upstream.seen()) == 1


def test_a_key_that_fails_goes_unnoticed(client, gateway, upstream):
    upstream.on({"refusal": {"quota_per_minute": {"seconds": 30}}}, times=1)
    upstream.on({"refusal": "key_invalid"}, times=1)

    chunks = list(client.models.generate_content_stream(model=MODEL, contents="hello"))

    assert text_of(chunks) == "echo: hello"
    keys = [request["key"] for request in upstream.seen()]
    assert len(keys) == len(set(keys)) == 3


def test_when_all_keys_rest_the_answer_says_for_how_long(client, gateway, upstream):
    upstream.on({"refusal": {"quota_per_minute": {"seconds": 30}}})

    with pytest.raises(errors.ClientError) as raised:
        client.models.generate_content(model=MODEL, contents="hello")

    assert (raised.value.code, raised.value.status) == (429, "RESOURCE_EXHAUSTED")
    assert 20 <= int(raised.value.response.headers["retry-after"]) <= 31


def test_an_error_inside_a_stream_is_raised_behind_its_chunks(client, upstream):
    upstream.on({"default": {"chunks": 4, "error": {"after_events": 2, "code": 503}}})

    chunks, error = read_until_error(client)

    assert len(chunks) == 2
    assert isinstance(error, errors.ServerError)
    assert error.code == 503


def test_a_stream_that_is_cut_ends_with_one_error_and_no_second_start(client, gateway, upstream):
    upstream.on({"faulty": {"answer": {"default": {"chunks": 4}}, "faults": [
        {"cut": {"at": {"events": 2}, "ending": "reset"}}
    ]}})

    chunks, error = read_until_error(client)

    assert len(chunks) == 2
    assert isinstance(error, errors.APIError)
    assert len(upstream.seen()) == 1


def connect(gateway, user_key=None):
    options = types.HttpOptions(base_url=gateway.url, timeout=20_000)
    return genai.Client(api_key=user_key or gateway.user_key, vertexai=False, http_options=options)


def read_until_error(client):
    chunks = []
    with pytest.raises(errors.APIError) as raised:
        for chunk in client.models.generate_content_stream(model=MODEL, contents="hello"):
            chunks.append(chunk)
    return chunks, raised.value


def text_of(chunks):
    return "".join(chunk.text or "" for chunk in chunks)


def decoded(base64_text):
    return base64.urlsafe_b64decode(base64_text.replace("+", "-").replace("/", "_"))


def json_error(code, status, message):
    body = json.dumps({"error": {"code": code, "message": message, "status": status}})
    return {"code": code, "headers": [["content-type", "application/json"]], "body": body}
