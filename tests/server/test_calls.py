"""The HTTP API, without a port: what is answered, in which words, with which status."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Literal

import pytest

from mastra_convex.errors import FileUnavailableError
from mastra_convex.protocol import requests
from mastra_convex.server import calls
from tests.server.support import (
    KEY,
    Served,
    bearer,
    held,
    ids,
    message,
    page,
    served,
    soon,
    thread,
)

# Made when the file is read, which may be long before its tests run.
SERVICE = bearer(KEY.service_token(lifetime=24 * 3600))


def post(server: Served, path: str, body: Any, **headers: str) -> tuple[int, Any]:
    answer = server.client.post(path, json=body, headers={**SERVICE, **headers})
    return answer.status_code, answer.json()


def test_who_answers() -> None:
    with served() as server:
        for path, text in (
            ("/version", "0.0.0"),
            ("/instance_version", "0.0.0"),
            ("/instance_name", "mastra-convex"),
        ):
            answer = server.client.get(path)
            assert (answer.status_code, answer.text) == (200, text)
            assert answer.headers["content-type"].startswith("text/plain")
        assert "mastra-convex" in server.client.get("/").text
        assert server.client.get("/nothing").status_code == 404


def test_calls_in_both_spellings_of_arguments() -> None:
    with served() as server:
        saved = server.value("mutation", "threads:save", [thread("t")])
        assert saved["id"] == "t"
        assert server.value("query", "threads.js:get", {"id": "t"}) == saved
        assert server.value("query", "threads:get", [{"id": "u"}]) is None


def test_a_query_may_come_by_get() -> None:
    with served() as server:
        server.value("mutation", "threads:save", thread("t"))
        params = {"path": "threads:get", "args": '{"id":"t"}', "format": "json"}
        answer = server.client.get("/api/query", params=params, headers=SERVICE)
        assert answer.json()["value"]["id"] == "t"
        for wrong in ({"path": "threads:get"}, {"path": "threads:get", "args": "{"}):
            answer = server.client.get("/api/query", params=wrong, headers=SERVICE)
            assert (answer.status_code, answer.json()["code"]) == (400, "BadJsonBody")
        assert server.client.get("/api/mutation").status_code == 405


def test_functions_by_their_address() -> None:
    with served(prefix="mastra/") as server:
        status, answer = post(server, "/api/run/mastra/threads/save", {"args": thread("t")})
        assert (status, answer["status"]) == (200, "success")
        status, answer = post(server, "/api/run/mastra/threads/get", {"args": {"id": "t"}})
        assert answer["value"]["id"] == "t"
        status, answer = post(server, "/api/run/threads/get", {"args": {"id": "t"}})
        assert "Could not find public function for 'threads:get'" in answer["errorMessage"]
        assert post(server, "/api/run/threads", {"args": {}})[1]["code"] == "MissingIdentifier"


def test_errors_of_ours_are_data_and_others_are_texts() -> None:
    with served() as server:
        answer = server.call("mutation", "messages:save", message("m", "missing"))
        assert answer["status"] == "error"
        assert answer["errorData"]["code"] == "NOT_FOUND"
        assert "logLines" not in answer
        missing = server.call("query", "threads:nothing", {})
        assert "Could not find public function for 'threads:nothing'" in missing["errorMessage"]
        assert "errorData" not in missing
        wrong = server.call("mutation", "threads:get", {"id": "t"})
        assert "threads.js:get as Mutation, but it is defined as Query" in wrong["errorMessage"]


@pytest.mark.parametrize(("path", "kind"), [("threads:save", "Mutation"), ("threads:get", "Query")])
def test_there_are_no_actions(path: str, kind: str) -> None:
    with served() as server:
        answer = server.call("action", path, {})
        assert f"as Action, but it is defined as {kind}." in answer["errorMessage"]
        assert "Could not find" in server.call("action", "a:b", {})["errorMessage"]


def test_the_operator_may_run_any_function() -> None:
    with served() as server:
        status, answer = post(server, "/api/function", {"path": "threads:get", "args": {"id": "t"}})
        assert (status, answer["code"]) == (403, "BadDeployKey")
        admin = {"Authorization": f"Convex {KEY.admin_key()}"}
        body = {"path": "threads:save", "args": thread("t")}
        assert post(server, "/api/function", body, **admin)[1]["value"]["id"] == "t"
        body = {"path": "threads:get", "args": {"id": "t"}}
        assert post(server, "/api/function", body, **admin)[1]["value"]["id"] == "t"
        # As the adapter of Mastra does: everything with the admin key.
        assert post(server, "/api/query", body, **admin)[1]["value"]["id"] == "t"


def test_queries_at_one_moment(tmp_path: Path) -> None:
    with served(tmp_path / "a.db") as server:
        server.value("mutation", "threads:save", thread("t", title="old"))
        ts = server.client.post("/api/query_ts").json()
        server.value("mutation", "threads:update", {"id": "t", "title": "new"})
        body = {"path": "threads:get", "args": {"id": "t"}, **ts}
        assert post(server, "/api/query_at_ts", body)[1]["value"]["title"] == "old"
        status, answer = post(server, "/api/query_at_ts", {**body, "ts": "AQAAAAAAAAA="})
        assert (status, answer["code"]) == (503, "OutOfRetention")


def test_a_batch_is_of_one_moment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(calls, "_MAX_BATCH", 2)
    with served() as server:
        server.value("mutation", "threads:save", thread("t"))
        get = {"path": "threads:get", "args": {"id": "t"}}
        _, answer = post(server, "/api/query_batch", {"queries": [get, {**get, "args": {}}]})
        first, second = answer["results"]
        assert first["value"]["id"] == "t"
        assert second["errorData"]["code"] == "INVALID_ARGUMENT"
        assert post(server, "/api/query_batch", {"queries": [get] * 3})[0] == 400
        assert post(server, "/api/query_batch", {"queries": 5})[0] == 400


@pytest.mark.parametrize(
    ("headers", "status", "code"),
    [
        ({"Authorization": "Bearer a.b.c"}, 401, "Unauthenticated"),
        ({"Authorization": "Convex mastra-convex|no"}, 401, "BadAdminKey"),
        ({"Authorization": "Basic abc"}, 400, "InvalidAdminKey"),
        ({"Content-Type": "text/plain"}, 400, "BadJsonBody"),
        ({"Host": "evil.example"}, 403, "HostNotAllowed"),
        ({"Convex-Client": "npm-0.19.1"}, 400, "ClientVersionUnsupported"),
        ({"Convex-Client": "nonsense"}, 400, "InvalidClientVersion"),
    ],
)
def test_requests_that_are_refused(headers: dict[str, str], status: int, code: str) -> None:
    with served() as server:
        body = json.dumps({"path": "threads:get", "args": {"id": "t"}})
        kind = {"Content-Type": "application/json"}
        answer = server.client.post("/api/query", content=body, headers={**kind, **headers})
        assert answer.status_code == status
        told = answer.json()
        assert told["code"] == code
        assert not any(value in told["message"] for value in headers.values())


def test_json_types_that_are_taken() -> None:
    with served() as server:
        body = json.dumps({"path": "threads:get", "args": {"id": "t"}})
        for kind in ("application/json; charset=utf-8", "application/vnd.x+json"):
            headers = {**SERVICE, "Content-Type": kind}
            assert server.client.post("/api/query", content=body, headers=headers).is_success


def test_without_a_token_the_function_refuses() -> None:
    with served() as server:
        answer = server.call("query", "threads:get", {"id": "t"}, token=None)
        assert answer["errorData"]["code"] == "UNAUTHENTICATED"


def test_a_resource_has_only_its_own() -> None:
    with served() as server:
        server.value("mutation", "threads:save", thread("t", "them"))
        server.value("mutation", "messages:save", message("m", "t"))
        me = KEY.resource_token("me")
        assert server.value("query", "threads:get", {"id": "t"}, token=me) is None
        assert ids(server.value("query", "messages:list", page("t"), token=me)) == []
        answer = server.call("mutation", "threads:update", {"id": "t", "title": "x"}, token=me)
        missing = server.call("mutation", "threads:update", {"id": "u", "title": "x"}, token=me)
        assert answer["errorData"]["code"] == missing["errorData"]["code"] == "NOT_FOUND"
        told, other = (each["errorData"]["message"] for each in (answer, missing))
        assert told.replace("'t'", "'u'") == other


def test_bodies_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(calls, "MAX_BODY_BYTES", 1000)
    with served() as server:
        body = {"path": "threads:get", "args": {"id": "t" * 1000}}
        status, answer = post(server, "/api/query", body)
        assert (status, answer["code"]) == (413, "RequestTooLarge")
    assert requests.MAX_BODY_BYTES > 16 * 1024 * 1024


@pytest.mark.parametrize(
    ("kind", "path", "args"),
    [("query", "threads:get", {"id": "t"}), ("mutation", "threads:save", thread("t"))],
)
def test_a_call_that_takes_too_long_is_told_so_and_others_go_on(
    kind: Literal["query", "mutation"],
    path: str,
    args: dict[str, Any],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(calls, "MAX_SECONDS", 0.5)
    with held(path, kind, monkeypatch) as release, served(tmp_path / "a.db") as server:
        status, answer = post(server, f"/api/{kind}", {"path": path, "args": args})
        assert (status, answer["code"]) == (503, "RequestTimedOut")
        assert server.value("query", "system:version", {})
        release.set()
        # It was not said that it would not happen, and it does.
        soon(lambda: kind == "query" or server.value("query", "threads:get", {"id": "t"}))


@pytest.mark.parametrize("content", [b"", b"{", b"[1]", b"\xff\xfe", b"[" * 50_000])
def test_bodies_that_are_none(content: bytes) -> None:
    with served() as server:
        headers = {**SERVICE, "Content-Type": "application/json"}
        answer = server.client.post("/api/mutation", content=content, headers=headers)
        assert (answer.status_code, answer.json()["code"]) == (400, "BadJsonBody")


def test_a_file_in_trouble_is_the_servers_and_not_told(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    async def fail(*_: Any, **__: Any) -> Any:
        raise FileUnavailableError("/srv/secret/a.db cannot be used")

    with served() as server:
        monkeypatch.setattr(server.backend, "query", fail)
        status, answer = post(server, "/api/query", {"path": "threads:get", "args": {}})
        assert (status, answer["code"]) == (503, "StorageUnavailable")
        assert "secret" not in answer["message"]
    assert "/srv/secret/a.db" in caplog.text


def test_an_error_that_nobody_foresaw_is_logged_and_not_told(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    async def fail(*_: Any, **__: Any) -> Any:
        raise KeyError("secret")

    with served() as server:
        monkeypatch.setattr(server.backend, "mutation", fail)
        answer = server.call("mutation", "threads:save", thread("t"))
        assert answer["status"] == "error"
        assert answer["errorMessage"].endswith("Server Error")
    assert "secret" in caplog.text


def test_no_secret_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("DEBUG")
    token, admin = KEY.service_token(), KEY.admin_key()
    with served() as server, server.socket(token=token) as peer:
        peer.result("threads:save", thread("t"))
        server.call("query", "threads:get", {"id": "t"}, token=token)
        post(server, "/api/query", {"path": "a:b", "args": {}}, Authorization=f"Convex {admin}")
        post(server, "/api/query", {}, Authorization=f"Convex {admin}x")
        post(server, "/api/query", {}, Authorization=f"Bearer {token}x")
    for secret in (token, admin, KEY.to_text().rpartition(".")[2]):
        assert secret not in caplog.text
