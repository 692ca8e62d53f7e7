"""openai-python, by both paths under which the gateway speaks that dialect."""

import asyncio
import json

import openai
import pytest
from stage import MODEL, SERVICE_KEYS

HELLO = [{"role": "user", "content": "hello"}]
TOOL_QUESTION = [{"role": "user", "content": "use the tool"}]
WEATHER = {
    "type": "function",
    "function": {
        "name": "weather",
        "description": "Tells the weather.",
        "parameters": {"type": "object", "properties": {"city": {"type": "string"}}},
    },
}


@pytest.fixture(params=["/v1", "/v1beta/openai"])
def base_url(request, stage):
    return stage.gateway.url + request.param


@pytest.fixture
def client(base_url, stage):
    return connect(openai.OpenAI, base_url, stage.gateway)


def test_a_plain_answer_arrives_with_text_and_usage(client):
    answer = client.chat.completions.create(model=MODEL, messages=HELLO)

    assert answer.choices[0].message.content == "echo: hello"
    assert answer.choices[0].finish_reason == "stop"
    assert answer.object == "chat.completion"
    assert answer.usage.prompt_tokens == 2
    assert answer.usage.total_tokens >= answer.usage.prompt_tokens + 3


def test_a_stream_arrives_chunk_by_chunk(client, upstream):
    upstream.on({"default": {"chunks": 5}})

    chunks = list(client.chat.completions.create(model=MODEL, messages=HELLO, stream=True))

    assert text_of(chunks) == "echo: hello"
    assert sum(bool(chunk.choices and chunk.choices[0].delta.content) for chunk in chunks) == 5
    assert [chunk.choices[0].finish_reason for chunk in chunks if chunk.choices][-1] == "stop"
    assert len({chunk.id for chunk in chunks}) == 1


def test_usage_in_a_stream_comes_to_those_who_ask(client):
    chunks = list(
        client.chat.completions.create(
            model=MODEL, messages=HELLO, stream=True, stream_options={"include_usage": True}
        )
    )

    assert chunks[-1].choices == []
    assert chunks[-1].usage.prompt_tokens == 2


def test_usage_in_a_stream_does_not_come_to_those_who_do_not_ask(client):
    chunks = list(client.chat.completions.create(model=MODEL, messages=HELLO, stream=True))

    assert all(chunk.choices for chunk in chunks)
    assert all(chunk.usage is None for chunk in chunks)


def test_the_async_client_works_alike(base_url, stage):
    async def run():
        async with connect(openai.AsyncOpenAI, base_url, stage.gateway) as client:
            completions = client.chat.completions
            plain = await completions.create(model=MODEL, messages=HELLO)
            stream = await completions.create(model=MODEL, messages=HELLO, stream=True)
            return plain, [chunk async for chunk in stream]

    plain, chunks = asyncio.run(run())

    assert plain.choices[0].message.content == "echo: hello"
    assert text_of(chunks) == "echo: hello"


def test_a_tool_call_makes_the_round_trip_with_its_signature(client, upstream):
    first = client.chat.completions.create(model=MODEL, messages=TOOL_QUESTION, tools=[WEATHER])

    message = first.choices[0].message
    call = message.tool_calls[0]
    assert first.choices[0].finish_reason == "tool_calls"
    assert call.function.name == "weather"
    json.loads(call.function.arguments)
    signature = call.model_extra["extra_content"]["google"]["thought_signature"]
    assert signature

    result = {"role": "tool", "tool_call_id": call.id, "content": "clear"}
    turns = [*TOOL_QUESTION, message.model_dump(exclude_none=True), result]
    second = client.chat.completions.create(model=MODEL, messages=turns, tools=[WEATHER])

    assert second.choices[0].message.content is not None
    sent = upstream.last()["body"]["messages"][1]["tool_calls"][0]
    assert sent["extra_content"]["google"]["thought_signature"] == signature


def test_a_streamed_tool_call_arrives_whole(client):
    chunks = client.chat.completions.create(
        model=MODEL, messages=TOOL_QUESTION, tools=[WEATHER], stream=True
    )

    deltas = [chunk.choices[0].delta for chunk in chunks if chunk.choices]
    calls = [call for delta in deltas for call in delta.tool_calls or []]
    assert "".join(call.function.name or "" for call in calls) == "weather"
    json.loads("".join(call.function.arguments or "" for call in calls))


def test_embeddings_are_the_same_in_base64_and_as_numbers(client, upstream):
    by_default = client.embeddings.create(model="gemini-embedding-001", input=["one", "two"])
    assert upstream.last()["body"]["encoding_format"] == "base64"
    as_numbers = client.embeddings.create(
        model="gemini-embedding-001", input=["one", "two"], encoding_format="float"
    )
    assert upstream.last()["body"]["encoding_format"] == "float"

    assert len(by_default.data) == 2
    for left, right in zip(by_default.data, as_numbers.data, strict=True):
        assert left.embedding == pytest.approx(right.embedding)
    assert by_default.data[0].embedding != by_default.data[1].embedding


def test_models_are_listed_and_shown_in_the_openai_dialect(client):
    models = list(client.models.list())

    assert models and all(model.object == "model" for model in models)
    assert client.models.retrieve(models[0].id).object == "model"


def test_fields_the_sdk_does_not_know_pass_both_ways(client, upstream):
    extension = {"google": {"thinking_config": {"thinking_level": "low"}}}

    answer = client.chat.completions.create(
        model=MODEL,
        messages=[{"role": "developer", "content": "be brief"}, *HELLO],
        extra_body={"extra_body": extension, "brand_new": [1]},
    )

    body = upstream.last()["body"]
    assert body["extra_body"] == extension
    assert body["brand_new"] == [1]
    assert body["messages"][0]["role"] == "developer"
    assert answer.model_extra["x_unknown"]["number"] == 150.0


def test_the_marks_of_the_sdk_do_no_harm_and_stay_here(base_url, gateway, upstream):
    client = connect(openai.OpenAI, base_url, gateway, organization="org-1", project="proj-1")

    client.chat.completions.create(model=MODEL, messages=HELLO)

    headers = upstream.last()["headers"]
    assert "openai-organization" not in headers
    assert "openai-project" not in headers


def test_the_user_key_stays_here_and_one_service_key_goes_up(client, gateway, upstream):
    client.chat.completions.create(model=MODEL, messages=HELLO)

    seen = upstream.last()
    assert len(seen["credentials"]) == 1
    assert seen["credentials"][0] in SERVICE_KEYS
    assert gateway.user_key not in str(upstream.seen())


def test_every_answer_has_a_request_id(client, gateway, upstream):
    plain = client.chat.completions.create(model=MODEL, messages=HELLO)
    upstream.on({"status": json_error(400, "INVALID_ARGUMENT", "no")})
    with pytest.raises(openai.BadRequestError) as raised:
        client.chat.completions.create(model=MODEL, messages=HELLO)

    assert plain._request_id
    assert raised.value.request_id
    assert plain._request_id != raised.value.request_id


def test_an_unknown_user_key_is_an_authentication_error(base_url, gateway, upstream):
    stranger = connect(openai.OpenAI, base_url, gateway, api_key="nobody-knows-this-key")

    with pytest.raises(openai.AuthenticationError) as raised:
        stranger.chat.completions.create(model=MODEL, messages=HELLO)

    assert set(raised.value.body) >= {"message", "type", "param", "code"}
    assert upstream.seen() == []


def test_a_bad_request_comes_back_with_the_words_of_the_upstream(client, upstream):
    words = 'Invalid JSON payload received. Unknown name "thinking": Cannot find field.'
    upstream.on({"status": json_error(400, "INVALID_ARGUMENT", words)})

    with pytest.raises(openai.BadRequestError) as raised:
        client.chat.completions.create(model=MODEL, messages=HELLO)

    assert words in json.dumps(raised.value.response.json(), ensure_ascii=False).replace('\\"', '"')
    assert len(upstream.seen()) == 1


def test_an_unknown_model_is_a_not_found_error(client, upstream):
    upstream.on({"status": json_error(404, "NOT_FOUND", "models/x is not found")})

    with pytest.raises(openai.NotFoundError):
        client.chat.completions.create(model="x", messages=HELLO)

    assert len(upstream.seen()) == 1


def test_a_key_that_fails_goes_unnoticed(client, gateway, upstream):
    upstream.on({"refusal": {"quota_per_minute": {"seconds": 30}}}, times=1)
    upstream.on({"refusal": "key_invalid"}, times=1)

    answer = client.chat.completions.create(model=MODEL, messages=HELLO)

    assert answer.choices[0].message.content == "echo: hello"
    keys = [request["key"] for request in upstream.seen()]
    assert len(keys) == len(set(keys)) == 3


def test_when_all_keys_rest_the_answer_says_for_how_long(client, gateway, upstream):
    upstream.on({"refusal": {"quota_per_minute": {"seconds": 30}}})

    with pytest.raises(openai.RateLimitError) as raised:
        client.chat.completions.create(model=MODEL, messages=HELLO)

    assert 20 <= int(raised.value.response.headers["retry-after"]) <= 31
    assert set(raised.value.body) >= {"message", "type", "param", "code"}


def test_an_error_inside_a_stream_is_raised_behind_its_chunks(client, upstream):
    upstream.on({"default": {"chunks": 4, "error": {"after_events": 2, "code": 503}}})

    chunks, error = read_until_error(client)

    assert len(chunks) == 2
    assert error.message


def test_a_stream_that_is_cut_ends_with_one_error_and_no_second_start(client, gateway, upstream):
    upstream.on({"faulty": {"answer": {"default": {"chunks": 4}}, "faults": [
        {"cut": {"at": {"events": 2}, "ending": "reset"}}
    ]}})

    chunks, error = read_until_error(client)

    assert len(chunks) == 2
    assert error.message
    assert len(upstream.seen()) == 1


def connect(kind, base_url, gateway, **more):
    settings = {"api_key": gateway.user_key, "max_retries": 0, "timeout": 20, **more}
    return kind(base_url=base_url, **settings)


def read_until_error(client):
    chunks = []
    with pytest.raises(openai.APIError) as raised:
        for chunk in client.chat.completions.create(model=MODEL, messages=HELLO, stream=True):
            chunks.append(chunk)
    return chunks, raised.value


def text_of(chunks):
    return "".join(chunk.choices[0].delta.content or "" for chunk in chunks if chunk.choices)


def json_error(code, status, message):
    # Google's OpenAI layer wraps its own error shape in an array.
    body = json.dumps([{"error": {"code": code, "message": message, "status": status}}])
    return {"code": code, "headers": [["content-type", "application/json"]], "body": body}
