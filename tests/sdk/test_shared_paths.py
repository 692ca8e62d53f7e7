"""Paths that both dialects share: each SDK gets its own shape from one and the same gateway."""

import openai
import pytest
from google import genai
from google.genai import types


@pytest.fixture
def gemini(stage):
    options = types.HttpOptions(base_url=stage.gateway.url, api_version="v1", timeout=20_000)
    return genai.Client(api_key=stage.gateway.user_key, vertexai=False, http_options=options)


@pytest.fixture
def openai_client(stage):
    gateway = stage.gateway
    return openai.OpenAI(base_url=f"{gateway.url}/v1", api_key=gateway.user_key, max_retries=0, timeout=20)


def test_the_list_of_models_answers_in_the_dialect_of_the_asker(gemini, openai_client):
    gemini_names = [model.name for model in gemini.models.list()]
    openai_ids = [model.id for model in openai_client.models.list()]

    assert gemini_names and openai_ids
    assert all(name.startswith("models/") for name in gemini_names)
    assert {bare(name) for name in gemini_names} == {bare(name) for name in openai_ids}


def test_one_model_answers_in_the_dialect_of_the_asker(gemini, openai_client):
    name = bare(next(iter(gemini.models.list())).name)

    assert gemini.models.get(model=name).name == f"models/{name}"
    assert openai_client.models.retrieve(name).object == "model"


def bare(name):
    return name.removeprefix("models/")
