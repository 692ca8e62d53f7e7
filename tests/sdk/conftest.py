"""Fixtures: one stage for the whole run, and a clean upstream and rested keys for each test."""

import pytest
from stage import Stage


@pytest.fixture(scope="session")
def stage(tmp_path_factory):
    stage = Stage.build(tmp_path_factory.mktemp("stage"))
    yield stage
    stage.strike()


@pytest.fixture
def upstream(stage):
    return stage.upstream


@pytest.fixture
def gateway(stage):
    """The gateway, for tests of what the upstream alone does not do."""
    if not stage.has_gateway:
        pytest.skip("needs a gateway in front of the upstream")
    return stage.gateway


@pytest.fixture(autouse=True)
def clean(stage, request):
    stage.upstream.forget()
    stage.gateway.wake_keys()
    lengths = {name: len(log) for name, log in stage.logs().items()}
    yield
    for name, log in stage.logs().items():
        request.node.add_report_section("call", f"log of {name}", log[lengths[name] :])
