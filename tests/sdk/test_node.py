"""The JavaScript SDKs: the tests in node/ run under `node --test` on the same stage."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

FOLDER = Path(__file__).parent / "node"
NODE_MAJOR_MIN = 20
RUN_WAIT_SECONDS = 120


@pytest.mark.parametrize("name", ["genai", "resources", "live", "openai"])
def test_the_javascript_sdk_works(name, stage):
    node = usable_node()
    places = {
        "GATEWAY_URL": stage.gateway.url,
        "GATEWAY_USER_KEY": stage.gateway.user_key,
        "FAKE_UPSTREAM_URL": stage.upstream.url,
    }
    if name == "live":
        secure = stage.secure_gateway()
        places |= {"SECURE_URL": secure.url, "SECURE_KEY": secure.user_key, "NODE_EXTRA_CA_CERTS": str(stage.certificate)}

    run = subprocess.run(
        [node, "--test", "--test-reporter=spec", f"{name}.test.mjs"],
        cwd=FOLDER,
        env={**os.environ, **places},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=RUN_WAIT_SECONDS,
    )

    print(run.stdout, run.stderr)
    assert run.returncode == 0


def usable_node():
    """The path of node, or the test is skipped with the reason."""
    node = shutil.which("node")
    if node is None:
        pytest.skip("node is not installed")
    version = subprocess.run([node, "--version"], capture_output=True, text=True).stdout.strip()
    if int(version.lstrip("v").split(".")[0]) < NODE_MAJOR_MIN:
        pytest.skip(f"node {version} is older than {NODE_MAJOR_MIN}")
    if not (FOLDER / "node_modules").is_dir():
        pytest.skip("the packages are missing: npm ci --ignore-scripts in tests/sdk/node")
    return node
