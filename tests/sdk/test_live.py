"""google-genai and Live sessions, over the gateway's own TLS: the SDK insists on it."""

import asyncio
import ssl
import time

import pytest
from google import genai
from google.genai import types
from stage import MODEL, SERVICE_KEYS

CONFIG = {"response_modalities": ["TEXT"]}
BAD_KEY = "API key not valid. Please pass a valid API key."


@pytest.fixture
def secure(stage, gateway, monkeypatch):
    secure = stage.secure_gateway()
    secure.wake_keys()
    secure.rows_before = len(secure.admin("GET", "/api/request_logs")["logs"])
    monkeypatch.setenv("SSL_CERT_FILE", str(stage.certificate))
    return secure


def connect(gateway, key=None, version=None):
    options = types.HttpOptions(base_url=gateway.url, timeout=60_000, api_version=version)
    return genai.Client(api_key=key or gateway.user_key, vertexai=False, http_options=options)


def rows(gateway):
    """The rows of the last session, newest first, once it is written down that it has ended."""
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline:
        logs = gateway.admin("GET", "/api/request_logs")["logs"]
        if len(logs) > gateway.rows_before and logs[0]["is_final"]:
            return logs
        time.sleep(0.05)
    raise AssertionError("the session has no row")


async def turn(session, text):
    """Says something; returns the text that comes back and what it cost."""
    part = types.Content(role="user", parts=[types.Part(text=text)])
    await session.send_client_content(turns=part, turn_complete=True)
    heard, usage = "", None
    async for message in session.receive():
        heard += message.text or ""
        usage = message.usage_metadata or usage
    return heard, usage


@pytest.mark.parametrize("version", [None, "v1alpha", "v1beta"])
def test_a_session_goes_on_turn_by_turn(secure, upstream, version):
    async def talk():
        async with connect(secure, version=version).aio.live.connect(model=MODEL, config=CONFIG) as session:
            return [await turn(session, text) for text in ("hello", "and again")]

    first, second = asyncio.run(talk())

    assert first[0] == "echo: hello" and second[0] == "echo: and again"
    assert second[1].total_token_count == second[1].prompt_token_count + second[1].response_token_count
    request = upstream.last()
    assert request["key"] in SERVICE_KEYS and len(request["credentials"]) == 1
    assert version is None or f".{version}." in request["path"]
    row = rows(secure)[0]
    assert (row["operation"], row["model_name"], row["status"], row["is_success"]) == ("live", MODEL, 101, True)
    assert row["frames"] > 5 and row["total_tokens"] > 0


def test_a_bad_key_is_not_noticed(secure, upstream):
    upstream.on({"live": {"close": {"at": 1, "code": 1007, "reason": BAD_KEY}}}, times=1)

    async def talk():
        async with connect(secure).aio.live.connect(model=MODEL, config=CONFIG) as session:
            return await turn(session, "hello")

    assert asyncio.run(talk())[0] == "echo: hello"
    assert [row["error_type"] for row in rows(secure)[:2]] == [None, "key_invalid"]


def test_a_model_that_is_not_there_is_told_in_the_words_of_the_upstream(secure):
    async def talk():
        async with connect(secure).aio.live.connect(model="unknown-model", config=CONFIG) as session:
            await turn(session, "hello")

    with pytest.raises(Exception, match="unknown-model is not found for API version"):
        asyncio.run(talk())


def test_a_wrong_user_key_is_refused_at_the_door(secure):
    async def talk():
        async with connect(secure, key="no-such-key").aio.live.connect(model=MODEL, config=CONFIG):
            pass

    with pytest.raises(Exception, match="401"):
        asyncio.run(talk())


def test_a_token_opens_a_session_without_any_key(secure, upstream):
    async def talk():
        token = await connect(secure, version="v1alpha").aio.auth_tokens.create(config={"uses": 1})
        client = connect(secure, key=token.name, version="v1alpha")
        async with client.aio.live.connect(model=MODEL, config=CONFIG) as session:
            return token.name, await turn(session, "hello")

    name, (heard, _) = asyncio.run(talk())

    assert heard == "echo: hello" and name.startswith("auth_tokens/")
    [credential] = upstream.last()["credentials"]
    assert credential.startswith("auth_tokens/") and credential != name


def test_the_certificate_is_the_one_that_was_made(stage, secure):
    context = ssl.create_default_context(cafile=stage.certificate)
    host, port = secure.url.removeprefix("https://").split(":")
    assert ssl.get_server_certificate((host, int(port))) and context.get_ca_certs()
