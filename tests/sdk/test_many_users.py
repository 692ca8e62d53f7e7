"""google-genai with several users at once, service keys of twenty projects, and restarts of the gateway in between."""

import io
from concurrent.futures import ThreadPoolExecutor

import pytest
from google import genai
from google.genai import errors, types
from stage import MODEL

PROJECTS = 20
USERS = 6
ROUNDS = 2
MIB = 1 << 20
LARGE_BYTES = 300_000_000
# A piece of an upload costs the gateway what its sockets hold, however many follow.
UPLOAD_KIB_MAX = 8 * 1024


@pytest.fixture(scope="module")
def crowded(stage):
    if not stage.has_gateway:
        pytest.skip("needs a gateway in front of the upstream")
    keys = [f"AIzaSyManyUsers0000000000-in-project-{n:02}" for n in range(PROJECTS)]
    # What a user makes lies in as many projects as can be.
    return stage.further_gateway("crowded", {"KEEP_TOGETHER_SECONDS": "0"}, keys)


@pytest.fixture(autouse=True)
def nobody_is_led_astray(upstream):
    yield
    assert upstream.strays() == []


class User:
    """Somebody with a user key and what they have made."""

    def __init__(self, gateway, name):
        self.name = name
        self.user_key = gateway.new_user(name).user_key
        self.files, self.caches, self.batches, self.interactions = {}, set(), set(), []
        # What has come of the batches, in files that nobody has uploaded.
        self.results = set()
        options = types.HttpOptions(base_url=gateway.url, timeout=120_000)
        self.client = genai.Client(api_key=self.user_key, vertexai=False, http_options=options)

    def work(self, number):
        """Makes one of everything and uses it all."""
        small = f"{self.name[:3]}{number:02}".encode()
        for content in [small, small + b"x" * (9 * MIB)]:
            self.upload(content)
        name, file = next(reversed(self.files.items()))
        asked = types.Part.from_uri(file_uri=file[0], mime_type="text/plain")
        assert self.client.models.generate_content(model=MODEL, contents=["what is it?", asked]).text
        self.cache(asked)
        self.batch(name)
        self.converse()

        gone, _ = self.files.popitem()
        self.client.files.delete(name=gone)
        self.is_denied(lambda: self.client.files.get(name=gone))
        self.look_back()

    def upload(self, content):
        config = types.UploadFileConfig(mime_type="text/plain", display_name=self.name)
        file = self.client.files.upload(file=io.BytesIO(content), config=config)
        assert file.size_bytes == len(content)
        assert self.client.files.get(name=file.name).display_name == self.name
        assert self.client.files.download(file=file.name) == content
        self.files[file.name] = (file.uri, content)

    def cache(self, asked):
        config = types.CreateCachedContentConfig(contents=[asked], display_name=self.name, ttl="3600s")
        cache = self.client.caches.create(model=MODEL, config=config)
        self.caches.add(cache.name)
        config = types.GenerateContentConfig(cached_content=cache.name)
        assert self.client.models.generate_content(model=MODEL, contents="hello", config=config).text == "echo: hello"
        self.client.caches.update(name=cache.name, config=types.UpdateCachedContentConfig(ttl="7200s"))

    def batch(self, file):
        kept = self.client.batches.create(model=MODEL, src=file)
        gone = self.client.batches.create(model=MODEL, src=[types.InlinedRequest(contents="hello")])
        for job in (kept, gone):
            done = self.client.batches.get(name=job.name)
            assert done.name == job.name
            results = done.dest.file_name
            assert self.client.files.download(file=results) == f"what came of {job.name}".encode()
            self.results.add(results)
        self.client.batches.cancel(name=kept.name)
        self.client.batches.delete(name=gone.name)
        self.batches.add(kept.name)

    def converse(self):
        """Goes on with the conversation of the rounds before, plainly and streamed."""
        previous = self.interactions[-1] if self.interactions else None
        more = {"previous_interaction_id": previous} if previous else {}
        plain = self.client.interactions.create(model=MODEL, input="hello", **more)
        events = list(
            self.client.interactions.create(model=MODEL, input="and?", stream=True, previous_interaction_id=plain.id)
        )
        id = events[0].interaction.id
        assert events[-1].event_type == "interaction.completed"
        rest = self.client.interactions.get(id, stream=True, last_event_id=events[1].event_id)
        assert [event.event_type for event in rest] == [event.event_type for event in events[2:]]
        self.interactions += [plain.id, id]

    def look_back(self):
        """Everything is there, and nothing of anybody else."""
        listed = [file.name for file in self.client.files.list(config={"page_size": 3})]
        assert sorted(listed) == sorted([*self.files, *self.results])
        assert {cache.name for cache in self.client.caches.list()} == self.caches
        assert {job.name for job in self.client.batches.list()} == self.batches
        for name, (_, content) in self.files.items():
            assert self.client.files.download(file=name) == content
        for id in self.interactions:
            assert self.client.interactions.get(id).id == id

    def trespass(self, other):
        """Asks for what another has, in every way."""
        [name, (uri, _)] = next(iter(other.files.items()))
        cache, batch = next(iter(other.caches)), next(iter(other.batches))
        asked = types.Part.from_uri(file_uri=uri, mime_type="text/plain")
        cached = types.GenerateContentConfig(cached_content=cache)
        for call in [
            lambda: self.client.files.get(name=name),
            lambda: self.client.files.download(file=name),
            lambda: self.client.files.delete(name=name),
            lambda: self.client.caches.get(name=cache),
            lambda: self.client.caches.delete(name=cache),
            lambda: self.client.batches.get(name=batch),
            lambda: self.client.batches.cancel(name=batch),
            lambda: self.client.batches.create(model=MODEL, src=name),
            lambda: self.client.models.generate_content(model=MODEL, contents=["what?", asked]),
            lambda: self.client.models.generate_content(model=MODEL, contents="what?", config=cached),
        ]:
            self.is_denied(call)
        with pytest.raises(Exception, match="40[34]|not.found"):
            self.client.interactions.get(other.interactions[0])

    @staticmethod
    def is_denied(call):
        with pytest.raises(errors.ClientError) as raised:
            call()
        assert raised.value.code in (403, 404)


def test_users_at_once_see_their_own_in_twenty_projects_also_after_restarts(crowded, upstream):
    users = [User(crowded, f"{n:02}-user") for n in range(USERS)]
    with ThreadPoolExecutor(USERS) as together:
        for number in range(ROUNDS):
            list(together.map(lambda user: user.work(number), users))
            crowded.restart()
        list(together.map(User.look_back, users))

        asked = upstream.asked()
        list(together.map(User.trespass, users, users[1:] + users[:1]))
        assert upstream.asked() == asked, "what is another's is refused without asking anybody"
        list(together.map(User.look_back, users))

    assert PROJECTS / 2 < len(asked) <= PROJECTS


def test_a_file_of_300_mb_goes_through_without_being_held(crowded, upstream, tmp_path):
    user = User(crowded, "large-user")
    user.upload(b"x" * (9 * MIB))
    path = tmp_path / "large.txt"
    with path.open("wb") as file:
        file.truncate(LARGE_BYTES)
    crowded.program.forget_peak_memory()
    before = crowded.program.peak_memory_kib()

    file = user.client.files.upload(file=path, config=types.UploadFileConfig(mime_type="text/plain"))

    assert file.size_bytes == LARGE_BYTES
    cost = crowded.program.peak_memory_kib() - before
    assert cost <= UPLOAD_KIB_MAX, f"it cost {cost} KiB"
    assert user.client.files.get(name=file.name).size_bytes == LARGE_BYTES
    user.client.files.delete(name=file.name)
    upstream.forget()
