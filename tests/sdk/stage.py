"""The stage of the SDK tests: a gateway in front of a scripted upstream, both real programs.

They are started here, on free ports and with a fresh data folder, from the paths in GATEWAY_BIN and FAKE_UPSTREAM_BIN;
`cargo xtask test sdk` sets both. To try the tests against programs that already run, set instead

    GATEWAY_URL        where the SDKs connect
    GATEWAY_USER_KEY   the user key they send
    FAKE_UPSTREAM_URL  where the rules of the scripted upstream go

With GATEWAY_URL and FAKE_UPSTREAM_URL alike the SDKs meet the upstream itself, without a gateway; tests of what only
the gateway does are skipped then.
"""

import json
import os
import shutil
import signal
import socket
import subprocess
import time
import urllib.error
import urllib.parse
import urllib.request
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest

MODEL = "gemini-3.8-flash"
SERVICE_KEYS = [f"AIzaSySdkTests0000000000000000000000000{n}" for n in range(3)]
PASSWORD = "sdk-tests-only"
READY_WAIT_SECONDS = 30
ANSWER_WAIT_SECONDS = 20


def call(method, url, body=None, headers=None):
    """One request to our own programs; returns status and body, read as JSON if it is that."""
    data = None if body is None else body.encode()
    request = urllib.request.Request(url, data=data, headers=headers or {}, method=method)
    try:
        with urllib.request.urlopen(request, timeout=ANSWER_WAIT_SECONDS) as answer:
            status, text = answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        status, text = error.code, error.read().decode()
    try:
        return status, json.loads(text)
    except ValueError:
        return status, text


@dataclass
class Upstream:
    """The scripted upstream: what it shall answer, and what it has seen."""

    url: str

    def on(self, answer, **when):
        """The next requests that match `when` (key, model, path_contains, method, nth, times) get this answer."""
        rule = json.dumps({"when": when, "answer": answer})
        status, said = call("POST", f"{self.url}/__fake/rules", rule)
        assert status < 300, said

    def seen(self):
        """The requests since the test began."""
        status, said = call("GET", f"{self.url}/__fake/seen")
        assert status == 200, said
        return said if isinstance(said, list) else said["seen"]

    def last(self):
        """The last request, its headers by lower-case name and its body read."""
        request = dict(self.seen()[-1])
        request["headers"] = {name.lower(): value for name, value in request["headers"]}
        request["body"] = json.loads(request["body"]) if request["body"] else None
        return request

    def asked(self):
        """How many requests came with each key since the test began."""
        return call("GET", f"{self.url}/__fake/asked")[1]

    def strays(self):
        """Who named what another project keeps."""
        return call("GET", f"{self.url}/__fake/strays")[1]

    def forget(self):
        call("DELETE", f"{self.url}/__fake/rules")
        call("DELETE", f"{self.url}/__fake/seen")


@dataclass
class Gateway:
    """The gateway and an admin's hands on it."""

    url: str
    user_key: str = ""
    token: str = ""
    program: "Program" = None

    def log_in(self):
        form = urllib.parse.urlencode({"username": "admin", "password": PASSWORD})
        kind = {"Content-Type": "application/x-www-form-urlencoded"}
        status, said = call("POST", f"{self.url}/api/login", form, kind)
        assert status == 200, said
        self.token = said["access_token"]

    def admin(self, method, path, body=None):
        headers = {"Authorization": f"Bearer {self.token}", "Content-Type": "application/json"}
        status, said = call(method, self.url + path, None if body is None else json.dumps(body), headers)
        assert status < 300, f"{method} {path}: {status} {said}"
        return said

    def furnish(self, service_keys):
        """Adds the service keys and a user key."""
        self.log_in()
        self.admin("POST", "/api/keys", {"api_keys": service_keys})
        self.user_key = self.new_user("sdk tests").user_key

    def new_user(self, name):
        """The same gateway as another user has it."""
        user_key = self.admin("POST", "/api/auth_keys", {"alias": name})["api_key"]
        return replace(self, user_key=user_key)

    def restart(self):
        """Ends the program and starts it again at the same place."""
        self.program.end()
        self.program.start()
        self.program.wait_until_ready(f"{self.url}/ready")

    def wake_keys(self):
        """Lets every service key serve again, whatever an earlier test did to it."""
        if self.token:
            self.admin("POST", "/api/keys/reset")


@dataclass
class Stage:
    gateway: Gateway
    upstream: Upstream
    programs: list = field(default_factory=list)
    folder: Path = None
    certificate: Path = None
    secure: Gateway = None

    @property
    def has_gateway(self):
        return self.gateway.url != self.upstream.url

    @classmethod
    def build(cls, folder):
        """Finds or starts both programs."""
        if url := os.environ.get("GATEWAY_URL"):
            upstream = Upstream(os.environ["FAKE_UPSTREAM_URL"].rstrip("/"))
            return cls(Gateway(url.rstrip("/"), os.environ["GATEWAY_USER_KEY"]), upstream)

        upstream_port = free_port()
        upstream = Program(folder, os.environ["FAKE_UPSTREAM_BIN"], ["--listen", f"127.0.0.1:{upstream_port}", "--resources"], {})
        stage = cls(Gateway(""), Upstream(f"http://127.0.0.1:{upstream_port}"), [upstream], folder)
        try:
            upstream.wait_until_ready(f"{stage.upstream.url}/__fake/state")
            stage.gateway = stage.start_gateway(folder, {})
        except BaseException:
            stage.strike()
            raise
        return stage

    def start_gateway(self, folder, more, service_keys=SERVICE_KEYS):
        """Starts a gateway with these settings besides."""
        port = free_port()
        scheme = "https" if "TLS_CERT" in more else "http"
        settings = {
            "HOST": "127.0.0.1",
            "PORT": str(port),
            "DATA_DIR": str(folder / "data"),
            "PASSWORD": PASSWORD,
            "GEMINI_API_BASE_URL": self.upstream.url,
            "OPENAI_API_BASE_URL": f"{self.upstream.url}/v1beta/openai",
            "UPSTREAM_ALLOW_PRIVATE": "true",
            **more,
        }
        program = Program(folder, os.environ["GATEWAY_BIN"], [], settings)
        self.programs.append(program)
        gateway = Gateway(f"{scheme}://127.0.0.1:{port}", program=program)
        program.wait_until_ready(f"{gateway.url}/health")
        gateway.furnish(service_keys)
        program.wait_until_ready(f"{gateway.url}/ready")
        return gateway

    def further_gateway(self, name, more, service_keys):
        """Another gateway in front of the same upstream."""
        if self.folder is None:
            pytest.skip("needs a gateway of its own, with other keys")
        folder = self.folder / name
        folder.mkdir()
        return self.start_gateway(folder, more, service_keys)

    def secure_gateway(self):
        """A second gateway that speaks TLS, started when it is asked for."""
        if self.folder is None:
            pytest.skip("needs a gateway of its own, with TLS")
        if self.secure is None:
            self.certificate, key = make_certificate(self.folder)
            # Python's own requests read it at every connection.
            os.environ["SSL_CERT_FILE"] = str(self.certificate)
            folder = self.folder / "secure"
            folder.mkdir()
            self.secure = self.start_gateway(folder, {"TLS_CERT": str(self.certificate), "TLS_KEY": str(key)})
        return self.secure

    def strike(self):
        """Ends what was started, the gateway first."""
        for program in reversed(self.programs):
            program.end()

    def logs(self):
        return {program.name: program.log() for program in self.programs}


class Program:
    """One of our programs, with its output in a file."""

    def __init__(self, folder, path, arguments, settings):
        self.name = Path(path).name
        self.folder = folder
        self.log_path = folder / f"{self.name}.log"
        self.command = [path, *arguments]
        self.environment = {**os.environ, **settings}
        self.start()

    def start(self):
        with self.log_path.open("ab") as log:
            self.process = subprocess.Popen(
                self.command,
                cwd=self.folder,
                env=self.environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
            )

    def wait_until_ready(self, url):
        deadline = time.monotonic() + READY_WAIT_SECONDS
        said = "nothing yet"
        while time.monotonic() < deadline:
            if self.process.poll() is not None:
                raise RuntimeError(f"{self.name} ended ({self.process.returncode})\n{self.log()}")
            try:
                status, said = call("GET", url)
                if status == 200:
                    return
            except OSError as error:
                said = error
            time.sleep(0.05)
        raise RuntimeError(f"{self.name} is not ready: {said}\n{self.log()}")

    def peak_memory_kib(self):
        """The most memory since `forget_peak_memory`."""
        status = (self.proc / "status").read_text()
        [peak] = [line.split()[1] for line in status.splitlines() if line.startswith("VmHWM:")]
        return int(peak)

    def forget_peak_memory(self):
        if not self.proc.exists():
            pytest.skip("needs /proc, which tells what memory a program takes")
        (self.proc / "clear_refs").write_text("5")

    @property
    def proc(self):
        return Path("/proc") / str(self.process.pid)

    def log(self):
        return self.log_path.read_text(errors="replace")

    def end(self):
        self.process.send_signal(signal.SIGTERM)
        try:
            self.process.wait(timeout=10)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()


def make_certificate(folder):
    """A certificate for this machine that vouches for itself, and its key."""
    openssl = shutil.which("openssl")
    if openssl is None:
        pytest.skip("openssl, which makes the certificate, is not installed")
    certificate, key = folder / "certificate.pem", folder / "key.pem"
    words = "req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=localhost -addext subjectAltName=IP:127.0.0.1"
    subprocess.run([openssl, *words.split(), "-keyout", key, "-out", certificate], check=True, capture_output=True)
    return certificate, key


def free_port():
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]
