"""`mastra-convex doctor`: what is wrong with a deployment, and what mends it."""

from __future__ import annotations

import os
import socket
import ssl
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from mastra_convex import (
    DeploymentError,
    FunctionNotFoundError,
    InvalidArgumentError,
    UnauthenticatedError,
    UnreachableError,
)
from mastra_convex.cli.text import one_line

if TYPE_CHECKING:
    import httpx

# Any answer to what is asked here fits many times.
_LONGEST_ANSWER = 1024 * 1024
_DEPLOY = "npx convex dev --once (production: npx convex deploy)"


@click.command("doctor")
@click.argument("url", required=False)
@click.option(
    "--prefix", metavar="FOLDER", default="", help="The sub-folder of convex/ with the functions."
)
@click.option(
    "--env-file",
    metavar="PATH",
    default=".env.local",
    show_default=True,
    help="Where the address and the key are if the environment has none.",
)
@click.option(
    "--timeout",
    metavar="SECONDS",
    type=click.FloatRange(min=0, min_open=True),
    default=10.0,
    show_default=True,
    help="How long to wait for an answer.",
)
def command(url: str | None, prefix: str, env_file: str, timeout: float) -> None:
    """Say what is wrong with a deployment, and what mends it.

    URL is its address; left out, it is CONVEX_URL from the environment or from .env.local. The key
    is MASTRA_CONVEX_KEY from the same places. Nothing is changed.
    """
    with _Deployment(_address(url or _setting("CONVEX_URL", env_file)), timeout) as deployment:
        _examine(deployment, f"{prefix.strip('/')}/" if prefix.strip("/") else "", env_file)


def _examine(deployment: _Deployment, prefix: str, env_file: str) -> None:
    """Check after check; raises what the first one finds."""
    from mastra_convex.backends.compatibility import require_compatible
    from mastra_convex.tokens import KEY_VARIABLE, Key

    url = deployment.url
    found = deployment.probe(prefix)
    _ok("reachable", f"{url} answers as a Convex deployment does")
    if not found:
        other = "" if prefix else "mastra/"
        raise _missing(url, prefix, other if deployment.probe(other) else None)
    _ok("functions", f"{prefix}system:version is there")

    text = _setting(KEY_VARIABLE, env_file)
    if not text:
        raise UnauthenticatedError(
            f"no key to prove who is asking: set {KEY_VARIABLE}, or run this where {env_file} has "
            f"it; to make one, run: mastra-convex init && {_DEPLOY}"
        )
    key = Key.from_text(text)
    try:
        version = deployment.ask(prefix, key.service_token())
    except UnauthenticatedError as error:
        raise _refused(url, key.kid, error) from error
    _ok("key", f"{key.kid} is accepted")
    number = require_compatible(version, url)
    _ok("version", f"version {number} of the functions, as this package needs it")


def _ok(check: str, text: str) -> None:
    click.echo(f"ok  {check:<9}  {one_line(text)}")


def _setting(name: str, env_file: str) -> str | None:
    """A variable of the environment, or else of a .env file that need not be there."""
    from mastra_convex.project.env import get_variable

    if value := os.environ.get(name):
        return value
    try:
        return get_variable(Path(env_file).read_bytes(), name)
    except FileNotFoundError:
        return None


def _address(text: str | None) -> str:
    """The address to ask, without a slash at the end."""
    if not text:
        raise InvalidArgumentError(
            "no deployment to ask: give its address, or set CONVEX_URL; "
            "npx convex dev --once writes it into .env.local"
        )
    if not text.startswith(("http://", "https://")):
        raise InvalidArgumentError(
            f"{text!r} is not the address of a deployment, which begins with https:// "
            "(Convex's dashboard shows it, under Settings)"
        )
    return text.rstrip("/")


def _missing(url: str, prefix: str, other: str | None) -> FunctionNotFoundError:
    text = f"{url} has no {prefix}system:version that answers"
    if other is not None:
        place = f"--prefix {other.rstrip('/')}" if other else "no --prefix"
        return FunctionNotFoundError(f"{text}, but {other}system:version does; use {place}")
    return FunctionNotFoundError(
        f"{text}; deploy the functions: mastra-convex init && {_DEPLOY}; "
        "if they are in a sub-folder of convex/, name it with --prefix"
    )


def _refused(url: str, kid: str, error: UnauthenticatedError) -> UnauthenticatedError:
    """Why a deployment did not take our token, in words that help."""
    reason, text = error.data.get("reason"), error.data.get("said", error.message)
    if reason == "NoAuthProvider":
        why = "its auth.config.ts has no provider of mastra-convex"
        mend = f"mastra-convex init && {_DEPLOY}"
    elif "Could not decode token" in text:
        why = f"it does not know the key {kid}"
        mend = f"use the key it was deployed with, or deploy this one's auth.config.ts: {_DEPLOY}"
    elif "Could not validate token" in text:
        why = f"the token's times are wrong ({text})"
        mend = "set this machine's clock, which differs from the deployment's"
    else:
        why, mend = text, f"mastra-convex init && {_DEPLOY}"
    return UnauthenticatedError(f"{url} does not accept the key: {why}; to mend it: {mend}")


class _Deployment:
    """Asks one deployment for its version."""

    def __init__(self, url: str, timeout: float) -> None:
        from mastra_convex.extras import needs_extra

        with needs_extra("remote", "asking a deployment"):
            import httpx
        self.url = url
        self._timeout = timeout
        try:
            httpx.URL(url)
            self._client = httpx.Client(timeout=timeout)
        except httpx.InvalidURL as error:
            raise InvalidArgumentError(f"{url!r} is not an address: {error}") from error

    def __enter__(self) -> _Deployment:
        return self

    def __exit__(self, *_exception: object) -> None:
        self._client.close()

    def probe(self, prefix: str) -> bool:
        """Whether our functions are there, as far as one without a key can tell.

        They refuse whoever has none, with an error of ours that no deployment hides.
        """
        try:
            self.ask(prefix, None)
        except UnauthenticatedError as error:
            return "reason" not in error.data
        except UnreachableError:
            raise
        except (DeploymentError, FunctionNotFoundError) as error:
            # In production a function that is missing and one that fails look the same.
            if error.data.get("status", 200) >= 500:
                raise
            return False
        return True

    def ask(self, prefix: str, token: str | None) -> Any:
        """What `system:version` says to the bearer of a token."""
        from mastra_convex.protocol.http import QUERY, call_body, result_of

        path = f"{prefix}system:version"
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        status, body = self._post(QUERY, call_body(path, {}), headers)
        return result_of(self.url, path, status, body)

    def _post(self, route: str, body: Any, headers: dict[str, str]) -> tuple[int, bytes]:
        import httpx

        deadline = time.monotonic() + self._timeout
        received = b""
        try:
            with self._client.stream(
                "POST", self.url + route, json=body, headers=headers
            ) as response:
                for chunk in response.iter_bytes():
                    received += chunk
                    if time.monotonic() > deadline:
                        raise httpx.ReadTimeout("the answer does not end")
                    if len(received) > _LONGEST_ANSWER:
                        break
                return response.status_code, received
        except httpx.TimeoutException as error:
            raise self._unreachable(
                f"does not answer within {self._timeout:g} seconds",
                "check the address and the network in between",
            ) from error
        except httpx.HTTPError as error:
            raise self._unreachable(*_what_failed(error)) from error

    def _unreachable(self, what: str, mend: str) -> UnreachableError:
        return UnreachableError(f"{self.url} {what}; {mend}", url=self.url)


def _what_failed(error: httpx.HTTPError) -> tuple[str, str]:
    """What went wrong below HTTP, and what to look at."""
    causes: list[BaseException] = [error]
    while cause := causes[-1].__cause__ or causes[-1].__context__:
        causes.append(cause)
    for cause in causes:
        if isinstance(cause, socket.gaierror):
            return "has a name that cannot be found", "check the address, and the network"
        if isinstance(cause, ConnectionRefusedError):
            return "refuses connections", "start it (npx convex dev), or correct the address"
        if isinstance(cause, ssl.SSLError):
            return f"cannot be talked to over TLS ({cause})", "check the address, http or https"
    return f"cannot be talked to ({error})", "check the address"
