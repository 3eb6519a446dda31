import json
import re
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from mastra_convex.cli.main import main
from mastra_convex.tokens import Key
from mastra_convex.values.version import FUNCTIONS_VERSION
from tests.cli.deployment import Deployment, serving
from tests.cli.processes import environment, run

KEY = Key.generate()
VERSION = {"format": 1.0, "functions": float(FUNCTIONS_VERSION)}


def healthy(path: str = "system:version") -> Deployment:
    return Deployment({path: VERSION}, [KEY])


@pytest.fixture(autouse=True)
def _nothing_set(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("CONVEX_URL", raising=False)
    monkeypatch.setenv("MASTRA_CONVEX_KEY", KEY.to_text())


def doctor(*arguments: object) -> tuple[int, list[str], str]:
    """Exit code, what it says is well, and the error."""
    result = CliRunner().invoke(main, ["doctor", *map(str, arguments)])
    assert result.exception is None or isinstance(result.exception, SystemExit)
    assert KEY.to_text()[-43:] not in result.output
    assert result.stderr.count("\n") == (result.exit_code != 0)
    return result.exit_code, re.findall(r"^ok  (\w+)", result.stdout, re.MULTILINE), result.stderr


def test_a_deployment_that_is_well_has_a_line_for_each_check() -> None:
    with serving(healthy()) as url:
        done = run("doctor", url, env=environment(MASTRA_CONVEX_KEY=KEY.to_text()))
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.splitlines() == [
        f"ok  reachable  {url} answers as a Convex deployment does",
        "ok  functions  system:version is there",
        f"ok  key        {KEY.kid} is accepted",
        f"ok  version    version {FUNCTIONS_VERSION} of the functions, as this package needs it",
    ]


def test_address_and_key_are_found_where_init_and_convex_leave_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("MASTRA_CONVEX_KEY")
    with serving(healthy()) as url:
        text = f"# deployment\nCONVEX_URL={url}/\nMASTRA_CONVEX_KEY={KEY.to_text()}\n"
        (tmp_path / ".env.local").write_text(text, encoding="utf-8")
        assert doctor() == (0, ["reachable", "functions", "key", "version"], "")
        (tmp_path / "other.env").write_text(text, encoding="utf-8")
        (tmp_path / ".env.local").unlink()
        assert doctor("--env-file", "other.env")[0] == 0


# Not reachable


def test_no_address_at_all() -> None:
    code, well, error = doctor()
    assert (code, well) == (1, [])
    assert error.startswith("error [INVALID_ARGUMENT]: no deployment to ask")
    assert "npx convex dev" in error


@pytest.mark.parametrize("url", ["happy-animal-123", "agents.db", "http://a:b", "ftp://x"])
def test_what_is_no_address(url: str) -> None:
    code, _, error = doctor(url)
    assert code == 1
    assert error.startswith("error [INVALID_ARGUMENT]")


def test_a_port_where_nobody_listens() -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{free.getsockname()[1]}"
        code, well, error = doctor(url)
    assert (code, well) == (1, [])
    assert error.startswith(f"error [UNREACHABLE]: {url} refuses connections; start it")


def test_a_name_that_is_not_there() -> None:
    code, _, error = doctor("https://no-such-deployment.invalid")
    assert code == 1
    assert error.startswith("error [UNREACHABLE]: https://no-such-deployment.invalid ")
    # A resolver that cannot be asked does not answer either.
    assert "has a name that cannot be found" in error or "does not answer" in error


@contextmanager
def talking(*sent: bytes, pause: float = 0) -> Iterator[str]:
    """A server that says what it says, whatever it is asked, and then nothing more."""
    over = threading.Event()
    with socket.create_server(("127.0.0.1", 0)) as server:

        def serve() -> None:
            connection, _ = server.accept()
            with connection:
                for part in sent:
                    try:
                        connection.sendall(part)
                    except OSError:
                        break
                    over.wait(pause)
                over.wait(30 if pause or not sent else 0.2)

        thread = threading.Thread(target=serve)
        thread.start()
        yield f"http://127.0.0.1:{server.getsockname()[1]}"
        over.set()
        thread.join()


def test_a_server_that_says_nothing() -> None:
    before = time.monotonic()
    with talking() as url:
        code, well, error = doctor(url, "--timeout", 0.3)
    assert (code, well) == (1, [])
    assert f"error [UNREACHABLE]: {url} does not answer within 0.3 seconds" in error
    assert time.monotonic() - before < 10


def test_a_server_that_never_comes_to_an_end() -> None:
    head = b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n"
    with talking(head, *[b" "] * 900, pause=0.05) as url:
        code, _, error = doctor(url, "--timeout", 0.3)
    assert code == 1
    assert "does not answer within 0.3 seconds" in error


def test_a_server_that_sends_without_end() -> None:
    head = b"HTTP/1.1 200 OK\r\n\r\n"
    with talking(head, *[b" " * 65536] * 64) as url:
        code, _, error = doctor(url)
    assert code == 1
    assert "not as a Convex deployment does" in error


def test_a_server_of_another_protocol() -> None:
    with talking(b"SSH-2.0-OpenSSH_9.2\r\n") as url:
        code, _, error = doctor(url)
        assert (code, error.partition(":")[0]) == (1, "error [UNREACHABLE]")
    with talking(b"HTTP/1.1 400 Bad Request\r\n\r\n") as url:
        code, _, error = doctor(url.replace("http", "https"))
    assert (code, "over TLS" in error) == (1, True)


@pytest.mark.parametrize(
    "answer",
    [
        (200, b"<!doctype html><title>Welcome</title>"),
        (404, b"not found"),
        (200, b""),
        (200, b'{"hello": "world"}'),
        (200, b"[]"),
        (301, b'{"status": "success", "value": 1}'),
        (200, b"\xff\xfe"),
    ],
)
def test_a_server_that_is_not_convex(answer: tuple[int, bytes]) -> None:
    with serving(Deployment(answer=answer)) as url:
        code, well, error = doctor(url)
    assert (code, well) == (1, [])
    assert error.startswith(f"error [UNREACHABLE]: {url} answers (status {answer[0]}), but not as")


def test_a_deployment_in_trouble_says_so() -> None:
    body = json.dumps({"code": "InternalServerError", "message": "Try again later."}).encode()
    with serving(Deployment(answer=(503, body))) as url:
        assert doctor(url) == (1, [], f"error [DEPLOYMENT]: {url}: Try again later.\n")


# Functions


@pytest.mark.parametrize("production", [False, True])
def test_functions_that_are_not_deployed(production: bool) -> None:
    with serving(Deployment(production=production)) as url:
        code, well, error = doctor(url)
    assert (code, well) == (1, ["reachable"])
    assert error.startswith("error [FUNCTION_NOT_FOUND]")
    assert "mastra-convex init && npx convex dev --once" in error


@pytest.mark.parametrize("production", [False, True])
def test_a_wrong_prefix(production: bool) -> None:
    inside = healthy("mastra/system:version")
    inside.production = production
    with serving(inside) as url:
        code, well, error = doctor(url)
        assert (code, well) == (1, ["reachable"])
        assert "mastra/system:version does; use --prefix mastra\n" in error
        assert doctor(url, "--prefix", "mastra")[0] == 0
        assert doctor(url, "--prefix", "/mastra/")[0] == 0
    with serving(healthy()) as url:
        code, _, error = doctor(url, "--prefix", "mastra")
        assert "system:version does; use no --prefix\n" in error


# The key


def test_no_key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("MASTRA_CONVEX_KEY")
    with serving(healthy()) as url:
        code, well, error = doctor(url)
    assert (code, well) == (1, ["reachable", "functions"])
    assert error.startswith("error [UNAUTHENTICATED]: no key")
    assert "set MASTRA_CONVEX_KEY" in error


def test_a_damaged_key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MASTRA_CONVEX_KEY", KEY.to_text()[:-1])
    with serving(healthy()) as url:
        code, _, error = doctor(url)
    assert (code, error.partition(":")[0]) == (1, "error [INVALID_ARGUMENT]")
    assert KEY.to_text()[-20:-1] not in error


def test_a_key_that_the_deployment_does_not_know() -> None:
    deployment = healthy()
    deployment.keys = [Key.generate()]
    with serving(deployment) as url:
        code, well, error = doctor(url)
    assert (code, well) == (1, ["reachable", "functions"])
    assert f"does not accept the key: it does not know the key {KEY.kid}; to mend it" in error


def test_a_deployment_without_our_provider() -> None:
    deployment = healthy()
    deployment.providers = False
    with serving(deployment) as url:
        _, _, error = doctor(url)
    assert "its auth.config.ts has no provider of mastra-convex" in error
    assert "mastra-convex init" in error


def test_a_clock_that_is_wrong(monkeypatch: pytest.MonkeyPatch) -> None:
    now = time.time()
    monkeypatch.setattr("mastra_convex.tokens.time.time", lambda: now + 3600)
    token = KEY.service_token()
    monkeypatch.undo()
    monkeypatch.chdir("/")
    deployment = healthy()
    monkeypatch.setenv("MASTRA_CONVEX_KEY", KEY.to_text())
    monkeypatch.setattr(Key, "service_token", lambda _key: token)
    with serving(deployment) as url:
        _, _, error = doctor(url)
    assert "set this machine's clock" in error
    assert token not in error


class Grudging(Deployment):
    """Takes no token, and gives a reason of its own."""

    def call(self, path: str, token: str | None) -> tuple[int, Any]:
        if token is None:
            return super().call(path, None)
        return 401, {"code": "Unauthenticated", "message": "not \x1b[2Jtoday"}


def test_a_refusal_that_we_do_not_know_is_passed_on() -> None:
    with serving(Grudging({"system:version": VERSION})) as url:
        _, _, error = doctor(url)
    assert "does not accept the key: not \\x1b[2Jtoday; to mend it" in error


# The version


@pytest.mark.parametrize(
    ("functions", "code", "mends"),
    [
        (FUNCTIONS_VERSION - 1, "FUNCTIONS_OLDER", "mastra-convex init && npx convex dev --once"),
        (FUNCTIONS_VERSION + 1, "FUNCTIONS_NEWER", "pip install --upgrade 'mastra-convex[remote]'"),
    ],
)
def test_another_version(functions: int, code: str, mends: str) -> None:
    version = {**VERSION, "functions": float(functions)}
    with serving(Deployment({"system:version": version}, [KEY])) as url:
        status, well, error = doctor(url)
    assert (status, well) == (1, ["reachable", "functions", "key"])
    assert error.startswith(f"error [{code}]: {url} has version {functions} of the functions")
    assert mends in error
