"""One call of a function at an address: what is sent, and when again. Without I/O.

A call is a program: it yields steps (a token, a request, a pause), is sent their results or has
their errors raised in it, and returns the function's result. So one text serves both faces.

A query, and a mutation that may happen twice without harm, is sent again when the connection broke
or the server was out of order. What must not happen twice is sent again only if it cannot have
arrived.
"""

from __future__ import annotations

import random
import socket
import ssl
from collections.abc import Callable, Generator
from typing import Any, Literal, NamedTuple

from mastra_convex.backends.base import Args
from mastra_convex.backends.compatibility import require_compatible
from mastra_convex.errors import (
    ConvexStorageError,
    DeadlineError,
    DeploymentError,
    LimitExceededError,
    UnauthenticatedError,
    UnreachableError,
)
from mastra_convex.protocol.http import MUTATION, QUERY, call_body, result_of
from mastra_convex.values.encoding import encode, to_json

Kind = Literal["query", "mutation"]
_ROUTES = {"query": QUERY, "mutation": MUTATION}

# Mutations that may be sent again although the first may have arrived: what they leave behind is
# the same. Of the others nobody knows; they are sent again only if they cannot have arrived.
REPEATABLE = frozenset(
    {
        "threads:save",
        "threads:update",
        "threads:updateResourceId",
        "threads:remove",
        "messages:save",
        "messages:update",
        "messages:remove",
        "resources:save",
        "resources:update",
        "traces:save",
        "spans:save",
        "spans:update",
        "spans:removeTraces",
        *(f"{table}:save" for table in ("logs", "metrics", "scoreEvents", "feedback")),
        *(f"{table}:removeOfTraces" for table in ("logs", "metrics", "scoreEvents", "feedback")),
        "scoreEvents:remove",
        "feedback:remove",
        "feedback:review",
        "evals:save",
        "workflowRuns:save",
        "workflowRuns:persist",
        "workflowRuns:remove",
        "observationalMemory:initialize",
        "observationalMemory:update",
        "observationalMemory:clear",
        "scores:save",
        "schedules:create",
        "schedules:update",
        "schedules:remove",
        "schedules:recordTrigger",
        "backgroundTasks:create",
        "backgroundTasks:remove",
        "channels:saveInstallation",
        "channels:removeInstallation",
        "channels:saveConfig",
        "channels:removeConfig",
        "system:clear",
    }
)

# About six seconds of trying, which a server needs to be started again.
ATTEMPTS = 7
_FIRST_PAUSE, _LONGEST_PAUSE = 0.1, 2.0
# The server is out of order, or has too much to do; what it was asked may be asked again.
_LATER = frozenset({408, 425, 429, 500, 502, 503, 504})
# What Convex takes as arguments.
_MAX_BODY_BYTES = 16 * 1024 * 1024


class NotConnectedError(Exception):
    """There was no connection, so nothing was sent; `cause` is why."""

    def __init__(self, cause: Exception) -> None:
        super().__init__(str(cause))
        self.cause = cause


class ProxyRefusedError(Exception):
    """A proxy will not go there, and would say so again."""


class LostError(Exception):
    """The connection broke before the answer was there; the request may have arrived."""


class TokenStep(NamedTuple):
    """Asks for a token other than `refused`."""

    refused: str | None


class PostStep(NamedTuple):
    """Asks for the status and the body of the answer to a request."""

    route: str
    body: bytes
    token: str | None


class PauseStep(NamedTuple):
    """Asks to wait for some seconds."""

    seconds: float


Step = TokenStep | PostStep | PauseStep
Program = Generator[Step, Any, Any]


class Functions:
    """The functions at one address: makes the programs that call them."""

    def __init__(self, url: str, prefix: str, timeout: float, clock: Callable[[], float]) -> None:
        self.url = url
        self.prefix = prefix
        self.timeout = timeout
        self._clock = clock
        self._compatible = False

    def deadline(self) -> float:
        """When a call that begins now has to end, by the clock."""
        return self._clock() + self.timeout

    def call(self, kind: Kind, path: str, args: Args, deadline: float) -> Program:
        """The program of one call. Raises the function's error, the deployment's, or that it is
        too late; the first call asks whether the functions are of our version.
        """
        if not self._compatible:
            yield from self.require_compatible(deadline)
        return (yield from self._attempts(kind, path, args, deadline))

    def require_compatible(self, deadline: float) -> Program:
        """The program that raises unless the functions are of our version; asked until they are."""
        if not self._compatible:
            version = yield from self._attempts("query", "system:version", {}, deadline)
            require_compatible(version, self.url)
            self._compatible = True

    def _attempts(self, kind: Kind, path: str, args: Args, deadline: float) -> Program:
        full = self.prefix + path
        body = to_json(call_body(full, encode(args))).encode()
        if len(body) > _MAX_BODY_BYTES:
            raise LimitExceededError(
                f"the arguments have {len(body)} bytes, and a call takes {_MAX_BODY_BYTES}; "
                "split them",
                limit=_MAX_BODY_BYTES,
                given=len(body),
            )
        # What is compared with what was expected is not so any more when it has been written.
        repeatable = kind == "query" or (path in REPEATABLE and "expected" not in args)
        token: str | None = None
        refused: str | None = None
        failures = 0
        while True:
            try:
                token = yield TokenStep(refused)
                status, answer = yield PostStep(_ROUTES[kind], body, token)
                return result_of(self.url, full, status, answer)
            except UnauthenticatedError as error:
                # Refused before the function ran, and not by the function itself.
                if error.data.get("status") != 401 or refused is not None:
                    raise
                refused = token
                continue
            except TimeoutError as error:
                raise self._late(kind, path) from error
            except NotConnectedError as error:
                failed: ConvexStorageError = unreachable(self.url, error.cause)
                again = not isinstance(error.cause, (ssl.SSLError, ProxyRefusedError))
            except LostError as error:
                failed, again = unreachable(self.url, error), repeatable
            except DeploymentError as error:
                failed, again = error, repeatable and error.data.get("status") in _LATER
            failures += 1
            pause = pause_after(failures, _FIRST_PAUSE, _LONGEST_PAUSE)
            if not again or failures >= ATTEMPTS or self._clock() + pause >= deadline:
                raise failed
            yield PauseStep(pause)

    def _late(self, kind: Kind, path: str) -> DeadlineError:
        note = ""
        if kind == "mutation":
            note = "; whether it was done is not known" + (
                ", and it may safely be repeated" if path in REPEATABLE else ""
            )
        return DeadlineError(
            f"{self.url} has not answered {path} within {self.timeout:g} seconds{note}",
            url=self.url,
            path=path,
            seconds=self.timeout,
        )


def pause_after(failures: int, first: float, longest: float) -> float:
    """Seconds to wait: twice as long each time, and never the same as others wait."""
    return float(min(first * 2.0 ** min(failures - 1, 20), longest) * random.uniform(0.5, 1.5))


def unreachable(url: str, cause: Exception) -> UnreachableError:
    """What failed below the protocol, and what to look at."""
    if isinstance(cause, socket.gaierror):
        text = "has a name that cannot be found; check the address, and the network"
    elif isinstance(cause, ConnectionRefusedError):
        text = "refuses connections; start the server, or correct the address"
    elif isinstance(cause, ssl.SSLError):
        text = f"cannot be talked to over TLS ({cause}); check the address, http or https"
    else:
        text = f"cannot be talked to ({str(cause) or type(cause).__name__}); check the address"
    return UnreachableError(f"{url} {text}", url=url)
