"""Calls over HTTP: what is sent, when again, and how they end when the server does not do its part.

Each test runs with both faces, against a server on a real socket.
"""

import asyncio
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from mastra_convex.backends.attempts import REPEATABLE
from mastra_convex.backends.calls import CLIENT, address_of
from mastra_convex.backends.credentials import Credentials
from mastra_convex.backends.remote import AsyncRemoteBackend, RemoteBackend
from mastra_convex.errors import (
    ConflictError,
    ConvexStorageError,
    DeadlineError,
    DeploymentError,
    FunctionNotFoundError,
    InvalidArgumentError,
    NewerFunctionsError,
    OlderFunctionsError,
    StorageClosedError,
    UnauthenticatedError,
    UnreachableError,
)
from mastra_convex.functions import registry
from mastra_convex.tokens import verify
from mastra_convex.values.encoding import Int64
from tests.backends.bad_servers import (
    KEY,
    SECONDS,
    Answer,
    Client,
    Scripted,
    cut,
    hang,
    serving,
    silent,
    sleep_until,
    success,
    trickle,
    unused_port,
)
from tests.contract.faces import LoopThread

Make = Callable[..., Client]

UNKNOWN = Answer({"code": "InvalidAuthHeader", "message": "Could not decode token"}, status=401)
LATER = Answer({"code": "InternalServerError", "message": "later"}, status=500)
GATEWAY = Answer(b"<html>Bad gateway</html>", status=502)
# Sent again only if it cannot have arrived: makes something new, claims, adds up.
NOT_REPEATABLE = {
    "threads:clone",
    *("workflowRuns:updateResults", "workflowRuns:updateState"),
    *(f"observationalMemory:{name}" for name in ("save", "observe", "activate", "reflect")),
    # What has meanwhile become active would be there twice.
    "observationalMemory:buffer",
    *("observationalMemory:bufferReflection", "observationalMemory:activateReflection"),
    *("schedules:advance", "backgroundTasks:update"),
    # No client of ours calls them.
    *("mastra/storage:handle", "mastra/cache:handle"),
}
ONCE = "threads:clone"


@pytest.fixture
def make(face: str, loop_thread: LoopThread) -> Iterator[Make]:
    """Makes clients of a face, and closes them."""
    made: list[Client] = []

    def make(url: str, **options: Any) -> Client:
        made.append(Client(face, url, loop_thread, **options))
        return made[-1]

    yield make
    for client in made:
        client.close()


@pytest.fixture
def server() -> Iterator[Scripted]:
    scripted = Scripted()
    scripted.script = [success(None)]
    with serving(scripted) as scripted.url:
        yield scripted


def lasting(call: Callable[[], Any], error: type[ConvexStorageError]) -> tuple[float, str]:
    """How long a call takes to raise, and what it says."""
    start = time.monotonic()
    with pytest.raises(error) as caught:
        call()
    return time.monotonic() - start, str(caught.value)


def test_what_is_sent(server: Scripted, make: Make) -> None:
    server.script = [success({"n": 1.5}), success(None)]
    client = make(server.url)
    assert client.query("threads:get", id="t") == {"n": 1.5}
    assert client.mutation("threads:remove", id="t") is None
    asked, told = server.requests
    assert (asked.target, told.target) == ("/api/query", "/api/mutation")
    assert asked.body == {
        "path": "threads:get",
        "args": {"id": "t"},
        "format": "convex_encoded_json",
    }
    assert asked.headers["convex-client"] == CLIENT
    assert asked.headers["content-type"] == "application/json"
    assert asked.token == told.token
    assert verify(asked.token, [KEY.public_jwk]).role == "service"
    assert server.asked_version == 1


def test_values_that_json_has_not(server: Scripted, make: Make) -> None:
    server.script = [success({"$integer": "BQAAAAAAAAA="})]
    client = make(server.url)
    assert client.query("a:b", x=float("inf"), y=b"ab") == Int64(5)
    assert server.requests[0].body["args"] == {
        "x": {"$float": "AAAAAAAA8H8="},
        "y": {"$bytes": "YWI="},
    }


def test_functions_in_a_folder(server: Scripted, make: Make) -> None:
    client = make(server.url + "/", prefix="/mastra/")
    client.query("threads:get")
    assert server.requests[0].path == "mastra/threads:get"


def test_large_arguments(server: Scripted, make: Make) -> None:
    make(server.url).mutation("messages:save", text="x" * 3_000_000)
    assert len(server.requests[0].body["args"]["text"]) == 3_000_000


def test_a_connection_is_used_again(server: Scripted, make: Make) -> None:
    client = make(server.url)
    ports: set[int] = set()

    def note(handler: Any) -> None:
        ports.add(handler.client_address[1])
        body = b'{"status":"success","value":null}'
        handler.send_response(200)
        handler.send_header("Content-Length", str(len(body)))
        handler.end_headers()
        handler.wfile.write(body)

    server.script = [Answer(instead=note)]
    for _ in range(5):
        client.query()
    assert len(ports) == 1


@pytest.mark.parametrize("instead", [hang, trickle])
def test_a_call_ends_at_its_deadline(
    server: Scripted, make: Make, instead: Callable[[Any], None]
) -> None:
    server.script = [Answer(instead=instead)]
    client = make(server.url, timeout=0.4)
    spent, text = lasting(lambda: client.query("threads:get"), DeadlineError)
    assert 0.3 < spent < 2
    assert text == f"{server.url} has not answered threads:get within 0.4 seconds"
    _, text = lasting(lambda: client.mutation("messages:save"), DeadlineError)
    assert text.endswith("whether it was done is not known, and it may safely be repeated")
    _, text = lasting(lambda: client.mutation(ONCE), DeadlineError)
    assert text.endswith("whether it was done is not known")


def test_a_server_that_never_answers_stalls_nothing_else(make: Make, server: Scripted) -> None:
    with silent() as url:
        stuck, good = make(url, timeout=1.5), make(server.url)
        spent: list[float] = []
        threads = [
            threading.Thread(target=lambda: spent.append(lasting(stuck.query, DeadlineError)[0]))
            for _ in range(3)
        ]
        for thread in threads:
            thread.start()
        start = time.monotonic()
        for _ in range(20):
            good.query()
        assert time.monotonic() - start < 1
        assert spent == []
        for thread in threads:
            thread.join(SECONDS)
    assert len(spent) == 3
    assert max(spent) < 4


def test_a_server_that_is_not_there(make: Make) -> None:
    url = f"http://127.0.0.1:{unused_port()}"
    spent, text = lasting(make(url, timeout=2.0).query, UnreachableError)
    assert spent < 5
    assert text == f"{url} refuses connections; start the server, or correct the address"


def test_a_name_that_is_not_there(make: Make) -> None:
    spent, text = lasting(make("http://nobody.invalid", timeout=0.3).query, UnreachableError)
    assert spent < 2
    # Where the name server itself is far away, the deadline comes first.
    assert "has a name that cannot be found" in text or "within 0.3 seconds" in text


def test_a_server_that_speaks_no_tls(server: Scripted, make: Make) -> None:
    client = make(server.url.replace("http:", "https:"))
    spent, text = lasting(client.query, UnreachableError)
    assert spent < 2  # there is no point in trying again
    assert "cannot be talked to over TLS" in text


def test_a_server_that_comes_back_is_waited_for(make: Make) -> None:
    scripted = Scripted()
    scripted.script = [success(5)]
    port = unused_port()
    client = make(f"http://127.0.0.1:{port}")
    found: list[Any] = []
    threads = [
        threading.Thread(target=lambda: found.append(client.query())),
        threading.Thread(target=lambda: found.append(client.mutation(ONCE))),
    ]
    for thread in threads:
        thread.start()
    time.sleep(0.3)
    with serving(scripted, port):
        for thread in threads:
            thread.join(SECONDS)
    assert found == [5, 5]


TROUBLES = ("failing", "no gateway", "cut")


@pytest.mark.parametrize("trouble", [LATER, GATEWAY, Answer(instead=cut)], ids=TROUBLES)
def test_what_may_happen_twice_is_sent_again(server: Scripted, make: Make, trouble: Answer) -> None:
    client = make(server.url)
    calls: list[Callable[[], Any]] = [client.query, lambda: client.mutation("messages:save")]
    for call in calls:
        server.requests.clear()
        server.script = [trouble, trouble, success(5)]
        assert call() == 5
        assert len(server.requests) == 3


@pytest.mark.parametrize("trouble", [LATER, GATEWAY, Answer(instead=cut)], ids=TROUBLES)
def test_what_must_not_happen_twice_is_sent_once(
    server: Scripted, make: Make, trouble: Answer
) -> None:
    client = make(server.url)
    server.script = [trouble, success(5)]
    lasting(lambda: client.mutation(ONCE), DeploymentError)
    assert len(server.requests) == 1


def test_what_is_compared_first_is_sent_once(server: Scripted, make: Make) -> None:
    """Done and not answered, it would be refused the second time, and done anew by its caller."""
    client = make(server.url)
    server.script = [Answer(instead=cut), success(5)]
    with pytest.raises(DeploymentError):
        client.mutation("threads:update", id="t", expected={"metadata": None})
    assert len(server.requests) == 1


def test_trying_has_an_end(server: Scripted, make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mastra_convex.backends.attempts._FIRST_PAUSE", 0.001)
    server.script = [LATER]
    _, text = lasting(make(server.url).query, DeploymentError)
    assert text == f"{server.url}: later"
    assert len(server.requests) == 7


def test_every_mutation_is_known_to_be_repeatable_or_not() -> None:
    mutations = {path for path, each in registry.functions.items() if each.kind == "mutation"}
    assert mutations == REPEATABLE | NOT_REPEATABLE
    assert not REPEATABLE & NOT_REPEATABLE


def test_an_error_of_a_function_comes_back_as_it_is(server: Scripted, make: Make) -> None:
    wire = ConflictError("it is taken", id="t").to_wire()
    server.script = [Answer({"status": "error", "errorMessage": "Server Error", "errorData": wire})]
    client = make(server.url)
    with pytest.raises(ConflictError, match="it is taken") as caught:
        client.mutation("messages:save")
    assert caught.value.data == {"id": "t"}
    assert len(server.requests) == 1


def test_a_function_that_is_not_there(server: Scripted, make: Make) -> None:
    text = "Could not find public function for 'a:b'."
    server.script = [Answer({"status": "error", "errorMessage": text})]
    lasting(make(server.url).query, FunctionNotFoundError)


def test_something_that_is_not_convex(server: Scripted, make: Make) -> None:
    server.script = [Answer(b"<html>hello</html>")]
    _, text = lasting(make(server.url).query, UnreachableError)
    assert "not as a Convex deployment does" in text
    assert len(server.requests) == 1


def test_no_redirection_is_followed(server: Scripted, make: Make) -> None:
    server.script = [Answer(b"", status=307, headers={"Location": "http://127.0.0.1:9/steal"})]
    _, text = lasting(make(server.url).query, UnreachableError)
    assert "status 307" in text


def test_a_token_that_is_refused_is_replaced_once(server: Scripted, make: Make) -> None:
    client = make(server.url)
    server.script = [UNKNOWN, success(5), success(6)]
    assert client.mutation(ONCE) == 5
    assert client.query() == 6
    first, second, third = (request.token for request in server.requests)
    assert first != second == third
    server.script = [UNKNOWN]
    server.requests.clear()
    _, text = lasting(client.query, UnauthenticatedError)
    assert "Could not decode token" in text
    assert len(server.requests) == 2


def test_what_a_function_says_of_the_caller_is_not_about_the_token(
    server: Scripted, make: Make
) -> None:
    wire = UnauthenticatedError("saving a trace is for the service").to_wire()
    server.script = [Answer({"status": "error", "errorMessage": "x", "errorData": wire})]
    lasting(lambda: make(server.url).mutation("traces:save"), UnauthenticatedError)
    assert len(server.requests) == 1


def test_a_token_that_is_all_there_is(server: Scripted, make: Make) -> None:
    client = make(server.url, credentials=Credentials(token="secret-token"))
    client.query()
    assert server.requests[0].token == "secret-token"
    server.script = [UNKNOWN]
    _, text = lasting(client.query, UnauthenticatedError)
    assert "secret-token" not in text
    assert len(server.requests) == 2


def test_a_function_for_tokens_runs_in_a_thread_of_its_own(server: Scripted, make: Make) -> None:
    names: list[str] = []

    def give() -> str:
        names.append(threading.current_thread().name)
        time.sleep(0.2)
        return f"token-{len(names)}"

    client = make(server.url, credentials=Credentials(token=give))
    threads = [threading.Thread(target=client.query) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(SECONDS)
    assert {request.token for request in server.requests} == {"token-1"}
    assert names == ["mastra-convex-wait"]


def test_a_function_for_tokens_that_hangs_ends_at_the_deadline(
    server: Scripted, make: Make
) -> None:
    done = threading.Event()
    credentials = Credentials(token=lambda: str(done.wait(SECONDS)))
    try:
        client = make(server.url, credentials=credentials, timeout=0.3)
        spent, _ = lasting(client.query, DeadlineError)
        assert spent < 2
    finally:
        done.set()


def test_a_function_for_tokens_that_fails(server: Scripted, make: Make) -> None:
    def fail() -> str:
        raise KeyError("no token today")

    with pytest.raises(KeyError, match="no token today"):
        make(server.url, credentials=Credentials(token=fail)).query()


@pytest.mark.parametrize(
    ("number", "error"), [(0.0, OlderFunctionsError), (99.0, NewerFunctionsError)]
)
def test_functions_of_another_version(
    server: Scripted, make: Make, number: float, error: type[ConvexStorageError]
) -> None:
    good = server.versions[0]
    server.versions = [success({"format": 1.0, "functions": number})]
    client = make(server.url)
    for _ in range(2):
        lasting(client.query, error)
    assert server.requests == []
    # They were brought up to date meanwhile.
    server.versions = [good]
    client.query()


def test_closing_ends_what_is_under_way(server: Scripted, make: Make) -> None:
    server.script = [Answer(instead=hang)]
    client = make(server.url)
    caught: list[tuple[float, str]] = []
    thread = threading.Thread(
        target=lambda: caught.append(lasting(client.query, StorageClosedError))
    )
    thread.start()
    while not server.requests:
        time.sleep(0.01)
    client.close()
    thread.join(SECONDS)
    assert caught[0][1] == f"{server.url} was closed; open a new storage"
    lasting(client.query, StorageClosedError)
    client.close()


def test_a_cancelled_call_lets_go_of_its_connection(server: Scripted) -> None:
    gone = threading.Event()

    def notice(handler: Any) -> None:
        hang(handler)
        gone.set()

    server.script = [Answer(instead=notice)]

    async def work() -> None:
        backend = AsyncRemoteBackend(server.url, "", Credentials(KEY.to_text()), SECONDS)
        task = asyncio.ensure_future(backend.query("threads:get", {}))
        await sleep_until(lambda: bool(server.requests))
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        await sleep_until(gone.is_set)
        server.script = [success(5)]
        assert await backend.query("threads:get", {}) == 5
        await backend.close()

    asyncio.run(work())


def test_one_storage_in_several_loops(server: Scripted) -> None:
    backend = AsyncRemoteBackend(server.url, "", Credentials(KEY.to_text()), SECONDS)

    async def work() -> list[Any]:
        return await asyncio.gather(*(backend.query("threads:get", {}) for _ in range(5)))

    for _ in range(2):
        assert asyncio.run(work()) == [None] * 5
    asyncio.run(backend.close())


def test_the_proxy_of_the_environment(
    server: Scripted, make: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("http_proxy", server.url)
    monkeypatch.delenv("no_proxy", raising=False)
    make("http://deployment.example:3210").query()
    assert server.requests[0].target == "http://deployment.example:3210/api/query"
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    make(server.url).query()
    assert server.requests[1].target == "/api/query"


@pytest.mark.parametrize(
    "url",
    [
        "http://",
        "https:///x",
        "http://a:b",
        "http://user:secret@host",
        "http://host?key=secret",
        "http://host#x",
    ],
)
def test_what_is_no_address(url: str) -> None:
    with pytest.raises(InvalidArgumentError, match="the address of a deployment") as caught:
        address_of(url)
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize("timeout", [0, -1, float("nan")])
def test_a_timeout_that_is_none(timeout: float) -> None:
    with pytest.raises(InvalidArgumentError, match="timeout is a number of seconds above 0"):
        RemoteBackend("http://host", "", Credentials(KEY.to_text()), timeout)
