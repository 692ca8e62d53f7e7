"""google-genai and what an upstream keeps for one project, with service keys of three projects."""

import io

import pytest
from google import genai
from google.genai import errors, types
from stage import MODEL

MIB = 1 << 20


@pytest.fixture
def client(stage, gateway):
    return connect(stage.gateway)


@pytest.fixture(autouse=True)
def nobody_is_led_astray(upstream):
    yield
    assert upstream.strays() == []


def connect(gateway):
    options = types.HttpOptions(base_url=gateway.url, timeout=60_000)
    return genai.Client(api_key=gateway.user_key, vertexai=False, http_options=options)


def upload(client, content):
    return client.files.upload(
        file=io.BytesIO(content), config=types.UploadFileConfig(mime_type="text/plain", display_name="a file")
    )


@pytest.mark.parametrize("size", [5, 9 * MIB])
def test_a_file_is_uploaded_found_asked_about_and_deleted(client, size):
    file = upload(client, b"x" * size)

    assert file.size_bytes == size
    assert file.uri.startswith("https://generativelanguage.googleapis.com/")
    assert client.files.get(name=file.name).name == file.name
    assert file.name in [listed.name for listed in client.files.list()]
    for _ in range(3):
        assert client.models.generate_content(model=MODEL, contents=["what is it?", file]).text
    client.files.delete(name=file.name)
    assert file.name not in [listed.name for listed in client.files.list()]
    with pytest.raises(errors.ClientError) as raised:
        client.files.get(name=file.name)
    assert raised.value.code == 403


def test_a_list_goes_on_over_pages_and_projects(client):
    files = {upload(client, b"hello").name for _ in range(7)}

    listed = [file.name for file in client.files.list(config={"page_size": 2})]

    assert files <= set(listed)
    assert len(listed) == len(set(listed))


def test_a_cache_is_made_used_changed_listed_and_deleted(client):
    file = upload(client, b"a long text")
    config = types.CreateCachedContentConfig(contents=[file], display_name="a cache", ttl="3600s")
    cache = client.caches.create(model=MODEL, config=config)

    assert client.caches.get(name=cache.name).name == cache.name
    for _ in range(3):
        answer = client.models.generate_content(
            model=MODEL, contents="hello", config=types.GenerateContentConfig(cached_content=cache.name)
        )
        assert answer.text == "echo: hello"
    client.caches.update(name=cache.name, config=types.UpdateCachedContentConfig(ttl="7200s"))
    assert cache.name in [listed.name for listed in client.caches.list()]
    client.caches.delete(name=cache.name)
    with pytest.raises(errors.ClientError) as raised:
        client.caches.get(name=cache.name)
    assert raised.value.code == 403


def test_a_batch_is_made_polled_cancelled_and_listed(client):
    file = upload(client, b"{}")
    jobs = [
        client.batches.create(model=MODEL, src=file.name),
        client.batches.create(model=MODEL, src=[types.InlinedRequest(contents="hello")]),
    ]

    for job in jobs:
        assert client.batches.get(name=job.name).name == job.name
        client.batches.cancel(name=job.name)
    listed = [job.name for job in client.batches.list()]
    assert all(job.name in listed for job in jobs)


def test_an_interaction_goes_on_with_the_key_that_began_it(client):
    first = client.interactions.create(model=MODEL, input="hello")

    for _ in range(3):
        following = client.interactions.create(model=MODEL, input="and?", previous_interaction_id=first.id)
        assert following.id != first.id
    assert client.interactions.get(first.id).id == first.id
    client.interactions.delete(first.id)
    with pytest.raises(Exception, match="404|not_found|not found"):
        client.interactions.get(first.id)


def test_an_interaction_is_streamed_and_taken_up_again(client):
    events = list(client.interactions.create(model=MODEL, input="hello", stream=True))

    kinds = [event.event_type for event in events]
    assert kinds[0] == "interaction.created"
    assert kinds[-1] == "interaction.completed"
    id = events[0].interaction.id
    rest = client.interactions.get(id, stream=True, last_event_id=events[1].event_id)
    assert [event.event_type for event in rest] == kinds[2:]
