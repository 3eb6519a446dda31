"""The text of every message of the sync WebSocket: parse and encode, both ways.

A message is one JSON object with a `type`. Timestamps are base64 on the wire.
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Callable
from typing import Any, Literal

from mastra_convex.protocol.messages import (
    NO_DATA,
    Action,
    ActionDone,
    Add,
    Authenticate,
    AuthError,
    ClientMessage,
    Connect,
    Event,
    FatalError,
    Modification,
    ModifyQuerySet,
    Mutation,
    MutationDone,
    Ping,
    QueryFailed,
    QueryRemoved,
    QueryUpdated,
    Remove,
    RequestFailed,
    ServerMessage,
    Transition,
    TransitionChunk,
    Version,
)
from mastra_convex.values.encoding import JsonText, is_text, parse_json, to_json

_U32 = 2**32
_MAX_TS = 2**63 - 1
_UUID = re.compile(r"[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}\Z")


class MalformedMessageError(ValueError):
    """The text is no message of the protocol; says what is wrong and quotes none of it."""


def encode_ts(ts: int) -> str:
    """A timestamp as the wire has it: base64 of 8 little-endian bytes."""
    return base64.b64encode(ts.to_bytes(8, "little")).decode("ascii")


def decode_ts(text: Any) -> int:
    """The timestamp in such text. Raises `MalformedMessageError`."""
    try:
        content = base64.b64decode(text, validate=True) if isinstance(text, str) else b""
    except (binascii.Error, ValueError):
        content = b""
    ts = int.from_bytes(content, "little")
    if len(content) != 8 or ts > _MAX_TS:
        raise MalformedMessageError("a timestamp is base64 of 8 bytes")
    return ts


def encode_client_message(message: ClientMessage) -> str:
    """The text of a client's message."""
    return to_json({"type": type(message).__name__, **_client_body(message)})


def _client_body(message: ClientMessage) -> dict[str, Any]:
    if isinstance(message, Connect):
        seen = message.max_observed
        return {
            "sessionId": message.session_id,
            "connectionCount": message.connection_count,
            "lastCloseReason": message.last_close_reason,
            **({} if seen is None else {"maxObservedTimestamp": encode_ts(seen)}),
            "clientTs": message.client_ts,
        }
    if isinstance(message, ModifyQuerySet):
        return {
            "baseVersion": message.base_version,
            "newVersion": message.new_version,
            "modifications": [_modification_body(change) for change in message.modifications],
        }
    if isinstance(message, (Mutation, Action)):
        return {
            "requestId": message.request_id,
            "udfPath": message.path,
            "args": message.args,
            **_component(message.component),
        }
    if isinstance(message, Authenticate):
        acting = message.acting_as
        return {
            "baseVersion": message.base_version,
            "tokenType": message.token_type,
            **({} if message.token_type == "None" else {"value": message.value}),
            **({} if acting is None else {"impersonating": acting}),
        }
    return {"eventType": message.event_type, "event": message.event}


def _modification_body(change: Add | Remove) -> dict[str, Any]:
    if isinstance(change, Remove):
        return {"type": "Remove", "queryId": change.query_id}
    body: dict[str, Any] = {
        "type": "Add",
        "queryId": change.query_id,
        "udfPath": change.path,
        "args": change.args,
        **_component(change.component),
    }
    if change.journal is not None:
        body["journal"] = change.journal
    return body


def _component(path: str | None) -> dict[str, Any]:
    return {} if path is None else {"componentPath": path}


def parse_client_message(text: str) -> ClientMessage:
    """The message in a client's text. Raises `MalformedMessageError`."""
    body = _Body(_object(text))
    match body.text("type"):
        case "Connect":
            session = body.text("sessionId")
            if not _UUID.match(session):
                raise MalformedMessageError("sessionId is a UUID")
            seen = body.get("maxObservedTimestamp")
            return Connect(
                session.lower(),
                body.number("connectionCount"),
                body.optional_text("lastCloseReason"),
                None if seen is None else decode_ts(seen),
                body.whole("clientTs", 0),
            )
        case "ModifyQuerySet":
            changes = body.list("modifications")
            return ModifyQuerySet(
                body.number("baseVersion"),
                body.number("newVersion"),
                tuple(_parse_change(_Body(_is_object(change))) for change in changes),
            )
        case "Mutation":
            return Mutation(*_parse_call(body, "requestId"))
        case "Action":
            return Action(*_parse_call(body, "requestId"))
        case "Authenticate":
            return _parse_authenticate(body)
        case "Event":
            return Event(body.text("eventType"), body.get("event"))
    raise MalformedMessageError("there is no client message of that type")


def _parse_change(body: _Body) -> Add | Remove:
    match body.text("type"):
        case "Add":
            query_id, path, args, component = _parse_call(body, "queryId")
            return Add(query_id, path, args, body.optional_text("journal"), component)
        case "Remove":
            return Remove(body.number("queryId"))
    raise MalformedMessageError("there is no modification of that type")


def _parse_call(body: _Body, number: str) -> tuple[int, str, Any, str | None]:
    args = body.get("args")
    if not isinstance(args, (list, dict)):
        raise MalformedMessageError("args is an array or an object")
    return body.number(number), body.text("udfPath"), args, body.optional_text("componentPath")


def _parse_authenticate(body: _Body) -> Authenticate:
    base = body.number("baseVersion")
    kind = body.text("tokenType")
    if kind == "None":
        return Authenticate(base, "None")
    if kind == "User":
        return Authenticate(base, "User", body.text("value"))
    if kind == "Admin":
        acting = body.get("impersonating", body.get("acting_as"))
        if acting is not None:
            _is_object(acting)
        return Authenticate(base, "Admin", body.text("value"), acting)
    raise MalformedMessageError("there is no token of that type")


def encode_server_message(message: ServerMessage) -> str:
    """The text of a server's message."""
    if isinstance(message, Transition):
        return _encode_transition(message)
    if isinstance(message, (MutationDone, ActionDone, RequestFailed)):
        return _encode_response(message)
    return to_json({"type": type(message).__name__, **_server_body(message)})


def _encode_response(message: MutationDone | ActionDone | RequestFailed) -> str:
    ts = ""
    if isinstance(message, RequestFailed):
        kind, success = message.kind, "false"
        result = f"{to_json(message.message)}{_data(message.error_data)}"
        if kind == "Mutation":
            ts = ',"ts":null'
    else:
        kind, success, result = "Action", "true", _text_of(message.value)
        if isinstance(message, MutationDone):
            kind, ts = "Mutation", f',"ts":"{encode_ts(message.ts)}"'
    return (
        f'{{"type":"{kind}Response","requestId":{message.request_id},"success":{success}'
        f',"result":{result}{ts},"logLines":{to_json(list(message.log_lines))}}}'
    )


def _server_body(message: TransitionChunk | AuthError | FatalError | Ping) -> dict[str, Any]:
    if isinstance(message, TransitionChunk):
        return {
            "chunk": message.chunk,
            "partNumber": message.part,
            "totalParts": message.total,
            "transitionId": message.transition_id,
        }
    if isinstance(message, AuthError):
        return {
            "error": message.message,
            "baseVersion": message.base_version,
            "authUpdateAttempted": message.update_attempted,
        }
    return {"error": message.message} if isinstance(message, FatalError) else {}


def _encode_transition(message: Transition) -> str:
    changes = ",".join(
        change.text if isinstance(change, JsonText) else encode_modification(change)
        for change in message.modifications
    )
    server_ts = "" if message.server_ts is None else f',"serverTs":{message.server_ts}'
    return (
        f'{{"type":"Transition","startVersion":{_encode_version(message.start)}'
        f',"endVersion":{_encode_version(message.end)}'
        f',"modifications":[{changes}],"clientClockSkew":null{server_ts}}}'
    )


def _encode_version(version: Version) -> str:
    return (
        f'{{"querySet":{version.query_set},"identity":{version.identity}'
        f',"ts":"{encode_ts(version.ts)}"}}'
    )


def encode_modification(change: Modification) -> str:
    """The text of one change of a transition."""
    if isinstance(change, QueryRemoved):
        return f'{{"type":"QueryRemoved","queryId":{change.query_id}}}'
    return with_query_id(encode_outcome(change), change.query_id)


def encode_outcome(change: QueryUpdated | QueryFailed) -> str:
    """The text of such a change but for its end, the id: the same for all who watch the query."""
    if isinstance(change, QueryUpdated):
        kind, outcome = "QueryUpdated", f'"value":{_text_of(change.value)}'
    else:
        kind = "QueryFailed"
        outcome = f'"errorMessage":{to_json(change.message)}{_data(change.error_data)}'
    return (
        f'{{"type":"{kind}",{outcome},"logLines":{to_json(list(change.log_lines))}'
        f',"journal":{to_json(change.journal)}'
    )


def with_query_id(outcome: str, query_id: int) -> str:
    """The whole text that `encode_outcome` has begun."""
    return f'{outcome},"queryId":{query_id}}}'


def _text_of(value: Any) -> str:
    return value.text if isinstance(value, JsonText) else to_json(value)


def _data(error_data: Any) -> str:
    return "" if error_data is NO_DATA else f',"errorData":{_text_of(error_data)}'


def parse_server_message(text: str) -> ServerMessage:
    """The message in a server's text. Raises `MalformedMessageError`."""
    body = _Body(_object(text))
    kind = body.text("type")
    parse = _SERVER_MESSAGES.get(kind)
    if parse is None:
        raise MalformedMessageError("there is no server message of that type")
    return parse(body)


def _parse_transition(body: _Body) -> Transition:
    server_ts = body.get("serverTs")
    return Transition(
        _parse_version(body, "startVersion"),
        _parse_version(body, "endVersion"),
        tuple(_parse_result(_Body(_is_object(item))) for item in body.list("modifications")),
        None if server_ts is None else body.whole("serverTs"),
    )


def _parse_version(body: _Body, name: str) -> Version:
    version = _Body(_is_object(body.get(name)))
    return Version(
        version.number("querySet"), version.number("identity"), decode_ts(version.get("ts"))
    )


def _parse_result(body: _Body) -> Modification:
    query_id = body.number("queryId")
    match body.text("type"):
        case "QueryUpdated":
            return QueryUpdated(
                query_id, body.needed("value"), body.log_lines(), body.optional_text("journal")
            )
        case "QueryFailed":
            return QueryFailed(
                query_id,
                body.text("errorMessage"),
                body.get("errorData", NO_DATA),
                body.log_lines(),
                body.optional_text("journal"),
            )
        case "QueryRemoved":
            return QueryRemoved(query_id)
    raise MalformedMessageError("there is no modification of that type")


def _parse_mutation_response(body: _Body) -> MutationDone | RequestFailed:
    if not body.flag("success"):
        return _parse_failure(body, "Mutation")
    return MutationDone(
        body.number("requestId"),
        body.needed("result"),
        decode_ts(body.get("ts")),
        body.log_lines(),
    )


def _parse_action_response(body: _Body) -> ActionDone | RequestFailed:
    if not body.flag("success"):
        return _parse_failure(body, "Action")
    return ActionDone(body.number("requestId"), body.needed("result"), body.log_lines())


def _parse_failure(body: _Body, kind: Literal["Mutation", "Action"]) -> RequestFailed:
    return RequestFailed(
        kind,
        body.number("requestId"),
        body.text("result"),
        body.get("errorData", NO_DATA),
        body.log_lines(),
    )


_SERVER_MESSAGES: dict[str, Callable[[_Body], ServerMessage]] = {
    "Transition": _parse_transition,
    "TransitionChunk": lambda body: TransitionChunk(
        body.text("chunk"),
        body.number("partNumber"),
        body.number("totalParts"),
        body.text("transitionId"),
    ),
    "MutationResponse": _parse_mutation_response,
    "ActionResponse": _parse_action_response,
    "AuthError": lambda body: AuthError(
        body.text("error"), body.number("baseVersion"), body.flag("authUpdateAttempted")
    ),
    "FatalError": lambda body: FatalError(body.text("error")),
    "Ping": lambda _body: Ping(),
}


def _object(text: str) -> dict[str, Any]:
    try:
        value = parse_json(text)
    except ValueError:
        raise MalformedMessageError("a message is a JSON object") from None
    return _is_object(value)


def _is_object(value: Any) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise MalformedMessageError("a JSON object is missing")
    return value


class _Body:
    """The fields of one object, each asked for with its type."""

    __slots__ = ("_fields",)

    def __init__(self, fields: dict[str, Any]) -> None:
        self._fields = fields

    def get(self, name: str, default: Any = None) -> Any:
        return self._fields.get(name, default)

    def needed(self, name: str) -> Any:
        if name not in self._fields:
            raise MalformedMessageError(f"{name} is missing")
        return self._fields[name]

    def text(self, name: str) -> str:
        value = self._fields.get(name)
        if not isinstance(value, str) or not is_text(value):
            raise MalformedMessageError(f"{name} is a text")
        return value

    def optional_text(self, name: str) -> str | None:
        return None if self._fields.get(name) is None else self.text(name)

    def whole(self, name: str, default: int | None = None) -> int:
        """A whole number of any size; a JSON number beyond 2^53 has come as a float."""
        value = self._fields.get(name, default)
        if isinstance(value, bool) or not isinstance(value, (int, float)) or value != int(value):
            raise MalformedMessageError(f"{name} is a whole number")
        return int(value)

    def number(self, name: str) -> int:
        value = self._fields.get(name)
        if type(value) is not int or not 0 <= value < _U32:
            raise MalformedMessageError(f"{name} is a whole number of 32 bits")
        return value

    def flag(self, name: str) -> bool:
        value = self._fields.get(name)
        if not isinstance(value, bool):
            raise MalformedMessageError(f"{name} is true or false")
        return value

    def list(self, name: str) -> list[Any]:
        value = self._fields.get(name)
        if not isinstance(value, list):
            raise MalformedMessageError(f"{name} is an array")
        return value

    def log_lines(self) -> tuple[str, ...]:
        """Needed, as clients of Convex need them."""
        lines = self.list("logLines")
        if not all(isinstance(line, str) for line in lines):
            raise MalformedMessageError("logLines are texts")
        return tuple(lines)
