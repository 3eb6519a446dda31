"""The socket end to end, without a port: subscriptions, mutations, logins, and what must not be."""

from __future__ import annotations

import dataclasses
import time
import uuid
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from mastra_convex.functions import registry
from mastra_convex.protocol.codec import decode_ts, encode_ts
from mastra_convex.server import sync
from mastra_convex.server.auth import Keyring
from mastra_convex.tokens import Key
from tests.server.support import (
    KEY,
    SOCKETS,
    Peer,
    closed,
    held,
    ids,
    message,
    page,
    served,
    thread,
)


def test_a_subscription_sees_ones_own_and_others_writes() -> None:
    with served() as server, server.socket() as peer, server.socket(session=OTHER) as other:
        peer.watch(0, "threads:get", {"id": "t"})
        assert peer.until_value(0, lambda value: True) is None
        response = peer.result("threads:save", thread("t", title="one"))
        assert response["success"] is True
        assert response["result"]["title"] == "one"
        assert peer.values[0]["title"] == "one"
        other.result("threads:update", {"id": "t", "title": "two"})
        peer.until_value(0, lambda value: value["title"] == "two")
        server.value("mutation", "threads:update", {"id": "t", "title": "three"})
        peer.until_value(0, lambda value: value["title"] == "three")


OTHER = "5f0d1b9e-0000-4000-8000-000000000001"


def test_all_queries_of_a_transition_are_of_one_commit() -> None:
    with served() as server, server.socket() as peer:
        peer.watch(0, "threads:get", {"id": "t"})
        peer.watch(1, "messages:list", page("t"))
        peer.until_value(1, lambda value: True)
        server.value("mutation", "threads:save", thread("t"))
        for number in range(20):
            server.value("mutation", "messages:save", message(f"m{number}", "t"))
        while len(ids(peer.until_value(1, bool))) < 20:
            transition = peer.receive()
            told = {change["queryId"] for change in transition["modifications"]}
            # The newest message moves the thread's updatedAt: both change together, or neither.
            if 1 in told and ids(peer.values[1]):
                newest = max(one["createdAt"] for one in peer.values[1]["page"])
                assert peer.values[0]["updatedAt"] >= newest


def test_mutations_are_done_and_answered_in_their_order() -> None:
    with served() as server, server.socket() as peer:
        peer.result("threads:save", thread("t"))
        numbers = [peer.mutate("messages:save", message(f"m{n}", "t")) for n in range(30)]
        numbers.insert(10, peer.mutate("messages:save", {"messages": 5}))
        numbers.append(peer.mutate("messages:save", message("last", "t")))
        answered: list[tuple[int, bool]] = []
        while len(answered) < 32:
            told = peer.until_type("MutationResponse")
            answered.append((told["requestId"], told["success"]))
        assert [number for number, _ in answered] == sorted(numbers)
        assert [success for _, success in answered].count(False) == 1
        found = server.value("query", "messages:list", page("t"))
        assert ids(found) == [*(f"m{n}" for n in range(30)), "last"]


def test_arguments_that_are_none_fail_in_their_turn() -> None:
    with served() as server, server.socket() as peer:
        peer.result("threads:save", thread("t"))
        first = peer.mutate("messages:save", message("m", "t"))
        second = peer.mutate("messages:save", {"$bad": 1})
        responses = [peer.until_type("MutationResponse") for _ in range(2)]
        assert [told["requestId"] for told in responses] == [first, second]
        assert responses[1]["errorData"]["code"] == "INVALID_ARGUMENT"
        peer.until_type("Transition")


def test_a_mutation_is_answered_before_what_it_changed_is_told() -> None:
    with served() as server, server.socket() as peer:
        peer.watch(0, "threads:get", {"id": "t"})
        peer.until_value(0, lambda value: True)
        for number in range(100):
            peer.mutate("threads:save", thread("t", title=f"{number}"))
            first = peer.until(lambda told: told["type"] != "Ping")
            assert first["type"] == "MutationResponse"
            assert peer.until_type("Transition")["endVersion"]["ts"] == first["ts"]
            assert peer.values[0]["title"] == f"{number}"


def test_a_failure_is_followed_by_a_transition_too() -> None:
    with served() as server, server.socket() as peer:
        response = peer.result("messages:save", message("m", "missing"))
        assert response["success"] is False
        assert response["errorData"]["code"] == "NOT_FOUND"
        assert response["ts"] is None
        assert response["logLines"] == []


def test_a_mutation_that_is_sent_again_is_answered_again(tmp_path: Path) -> None:
    first: dict[str, Any] = {}
    for attempt in range(3):
        # Another connection, another server: the session is the same.
        with served(tmp_path / "a.db") as server, server.socket() as peer:
            if attempt == 0:
                peer.result("threads:save", thread("t"))
            peer.mutate("messages:save", message(f"m{attempt}", "t"), request_id=77)
            response = peer.until_type("MutationResponse")
            covering = peer.until_type("Transition")
            assert decode_ts(covering["endVersion"]["ts"]) >= decode_ts(response["ts"])
            first = first or response
            assert response == first
            found = server.value("query", "messages:list", page("t"))
            assert ids(found) == ["m0"]


def test_a_mutation_that_takes_too_long_ends_the_socket_and_is_known_later(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sync, "_SWEEP_SECONDS", 0.05)
    monkeypatch.setattr(sync, "MAX_SECONDS", 0.2)
    path = tmp_path / "a.db"
    with served(path) as server, held("threads:save", "mutation", monkeypatch) as release:
        with server.socket() as peer:
            peer.mutate("threads:save", thread("t", title="once"), 7)
            closed(peer, 1011)
            release.set()
        with server.socket() as peer:
            peer.mutate("threads:save", thread("t", title="twice"), 7)
            # It is the answer of the first, whichever of the two came to be run.
            response = peer.until_type("MutationResponse")
            assert response["result"]["title"] == "once"


def test_a_query_is_run_once_however_many_watch_it(monkeypatch: pytest.MonkeyPatch) -> None:
    runs: list[Any] = []
    plain = registry.functions["messages:list"]

    def counted(ctx: Any, args: Any) -> Any:
        runs.append(args)
        return plain.handler(ctx, args)

    counting = dataclasses.replace(plain, handler=counted)
    monkeypatch.setitem(registry.functions, "messages:list", counting)
    with served() as server, ExitStack() as stack:
        server.value("mutation", "threads:save", thread("t"))
        peers = [
            stack.enter_context(server.socket(session=str(uuid.UUID(int=number))))
            for number in range(40)
        ]
        for peer in peers:
            peer.watch(3, "messages:list", page("t"))
            peer.until_value(3, lambda value: True)
        assert len(runs) == 1
        server.value("mutation", "messages:save", message("m", "t"))
        for peer in peers:
            assert ids(peer.until_value(3, lambda value: len(ids(value)) == 1)) == ["m"]
        assert len(runs) == 2
        # A commit that does not touch it runs nothing.
        peers[0].result("threads:save", thread("u"))
        assert len(runs) == 2


def test_what_did_not_change_is_not_sent() -> None:
    with served() as server, server.socket() as peer:
        peer.watch(0, "threads:get", {"id": "t"})
        peer.watch(1, "threads:get", {"id": "u"})
        peer.until_value(1, lambda value: True)
        server.value("mutation", "threads:save", thread("v"))
        peer.result("threads:save", thread("t"))
        transitions = peer.transitions
        peer.result("threads:save", thread("w"))
        assert peer.transitions == transitions + 1
        peer.log_in(KEY.service_token())
        told = peer.until(lambda m: m.get("endVersion", {}).get("identity") == 2)
        assert told["modifications"] == []


def test_queries_end() -> None:
    with served() as server, server.socket() as peer:
        peer.watch(0, "threads:get", {"id": "t"})
        peer.until_value(0, lambda value: True)
        peer.unwatch(0)
        gone = peer.until(lambda m: m["endVersion"]["querySet"] == 2)
        assert gone["modifications"] == [{"type": "QueryRemoved", "queryId": 0}]
        peer.result("threads:save", thread("t"))
        assert peer.values == {}


def test_without_a_token_nothing_is_told() -> None:
    with served() as server, server.socket(token=None) as peer:
        server.value("mutation", "threads:save", thread("t"))
        peer.watch(0, "threads:get", {"id": "t"})
        refused = peer.until_value(0, bool)
        assert refused["type"] == "QueryFailed"
        assert refused["errorData"]["code"] == "UNAUTHENTICATED"
        response = peer.result("threads:save", thread("u"))
        assert response["errorData"]["code"] == "UNAUTHENTICATED"
        peer.log_in(KEY.service_token())
        assert peer.until_value(0, lambda value: "page" not in value and "id" in value)
        peer.send(type="Authenticate", baseVersion=1, tokenType="None")
        peer.until_value(0, lambda value: value.get("type") == "QueryFailed")


def test_a_resource_sees_its_own_and_others_are_as_if_missing() -> None:
    with served() as server:
        server.value("mutation", "threads:save", thread("mine", "me"))
        server.value("mutation", "threads:save", thread("theirs", "them"))
        with server.socket(token=KEY.resource_token("me")) as peer:
            for number, name in enumerate(("mine", "theirs", "missing")):
                peer.watch(number, "threads:get", {"id": name})
            peer.until_value(2, lambda value: True)
            assert [peer.values[n] and peer.values[n]["id"] for n in range(3)] == [
                "mine",
                None,
                None,
            ]
            server.value("mutation", "threads:update", {"id": "theirs", "title": "x"})
            peer.result("threads:update", {"id": "mine", "title": "y"})
            assert peer.values[1] is None


@pytest.mark.parametrize("token", ["", "nonsense", "a.b.c", Key.generate().service_token()])
def test_a_token_that_is_none_ends_the_socket(token: str) -> None:
    with served() as server, server.socket(token=None) as peer:
        peer.log_in(token)
        error = peer.until_type("AuthError")
        assert error["baseVersion"] == 0
        assert error["authUpdateAttempted"] is True
        assert not token or token not in error["error"]
        closed(peer, 1000)


def test_a_token_that_expires_ends_the_socket(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mastra_convex.server.auth.LEEWAY", 0.0)
    with served() as server, server.socket(token=KEY.service_token(3)) as peer:
        peer.watch(0, "threads:get", {"id": "t"})
        peer.until_value(0, lambda value: True)
        error = peer.until_type("AuthError")
        assert error["authUpdateAttempted"] is False
        assert "expired" in error["error"]
        closed(peer, 1000)


def test_a_token_that_has_expired_runs_no_mutation(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mastra_convex.server.auth.LEEWAY", 0.0)
    monkeypatch.setattr(sync, "_SWEEP_SECONDS", 60.0)
    with served() as server, server.socket(token=KEY.service_token(1)) as peer:
        peer.watch(0, "threads:get", {"id": "t"})
        peer.until_value(0, lambda value: True)
        time.sleep(2.1)
        peer.mutate("threads:save", thread("late"))
        peer.until_type("AuthError")
        assert server.value("query", "threads:get", {"id": "late"}) is None


def test_a_key_that_is_rotated_away_ends_its_sockets(tmp_path: Path) -> None:
    file = tmp_path / "keys"
    old, new = Key.generate(), Key.generate()

    def load() -> list[Key]:
        return [Key.from_text(line) for line in file.read_text().split()]

    file.write_text(f"{old.to_text()}\n{new.to_text()}\n")
    with (
        served(keyring=Keyring(load, file)) as server,
        server.socket(token=old.service_token()) as peer,
        server.socket(token=new.service_token(), session=OTHER) as kept,
    ):
        for each in (peer, kept):
            each.watch(0, "threads:get", {"id": "t"})
            each.until_value(0, lambda value: True)
        file.write_text(f"{new.to_text()}\n")
        assert peer.until_type("AuthError")["authUpdateAttempted"] is False
        assert kept.result("threads:save", thread("t"))["success"] is True


def test_the_operator_on_a_socket() -> None:
    with served() as server, server.socket(token=None) as peer:
        admin = {"tokenType": "Admin", "value": KEY.admin_key()}
        peer.send(type="Authenticate", baseVersion=0, **admin)
        assert peer.result("threads:save", thread("t", "me"))["success"] is True
        acting = {"issuer": "https://mastra-convex.invalid", "subject": "me", "role": "resource"}
        peer.send(type="Authenticate", baseVersion=1, **admin, impersonating=acting)
        peer.watch(0, "threads:get", {"id": "t"})
        assert peer.until_value(0, bool)["id"] == "t"
        acting["subject"] = "other"
        peer.send(type="Authenticate", baseVersion=2, **admin, impersonating=acting)
        assert peer.until_value(0, lambda value: value is None) is None
        peer.send(type="Authenticate", baseVersion=3, tokenType="Admin", value="mastra-convex|no")
        assert "mastra-convex|no" not in peer.until_type("AuthError")["error"]


def test_functions_that_are_not_there() -> None:
    with served(prefix="mastra/") as server, server.socket() as peer:
        calls = ["threads:get", "mastra/threads:nothing", "mastra/threads:save", "a b"]
        for number, path in enumerate([*calls, "mastra/threads.js:get"]):
            peer.watch(number, path, {"id": "t"})
        peer.until_value(4, lambda value: True)
        texts = [peer.values[number]["errorMessage"] for number in range(4)]
        for path, text in zip(calls, texts):
            told = "Trying to execute" if "save" in path else f"function for '{path}'"
            assert told in text
        assert all("errorData" not in peer.values[number] for number in range(4))
        assert peer.values[4] is None


def test_arguments_that_json_has_not_are_refused_by_the_function() -> None:
    with served() as server, server.socket() as peer:
        values = ({"$bytes": "AA=="}, {"$integer": "AQAAAAAAAAA="}, "\ud800", {"\ud800": 1})
        for number, value in enumerate(values):
            peer.watch(number, "threads:get", {"id": value})
            assert peer.until_value(number, bool)["errorData"]["code"] == "INVALID_ARGUMENT"


def test_a_client_that_has_seen_another_future_is_sent_away() -> None:
    future = encode_ts(time.time_ns() + 10**15)
    with served() as server, server.socket(maxObservedTimestamp=future) as peer:
        peer.modify()
        closed(peer, 1011)


def test_a_client_comes_back_where_it_was(tmp_path: Path) -> None:
    with served(tmp_path / "a.db") as server, server.socket() as peer:
        peer.result("threads:save", thread("t"))
        seen = peer.version["ts"]
    with served(tmp_path / "a.db") as server, server.socket(maxObservedTimestamp=seen) as peer:
        peer.watch(0, "threads:get", {"id": "t"})
        assert peer.until_value(0, bool)["id"] == "t"
        assert decode_ts(str(peer.version["ts"])) >= decode_ts(str(seen))


@pytest.mark.parametrize(
    "text", ["", "{", "[]", '{"type":"Nonsense"}', '{"type":"Connect"}', "\u0000", "x" * 10_000]
)
def test_nonsense_is_fatal_and_harms_nobody_else(text: str) -> None:
    with served() as server, server.socket() as peer, server.socket(session=OTHER) as other:
        peer.socket.send_text(text)
        assert peer.until_type("FatalError")["error"].startswith("WSMessageInvalidJson")
        closed(peer, 1000)
        assert other.result("threads:save", thread("t"))["success"] is True


def test_bytes_end_the_socket() -> None:
    with served() as server, server.client.websocket_connect(f"{SOCKETS}/api/sync") as socket:
        socket.send_bytes(b"{}")
        closed(Peer(socket), 1003)


def test_a_quiet_client_is_pinged(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sync, "_SWEEP_SECONDS", 0.05)
    monkeypatch.setattr(sync, "PING_SECONDS", 0.2)
    with served() as server, server.socket() as peer:
        assert peer.until_type("Ping") == {"type": "Ping"}
