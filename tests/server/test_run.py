"""Listening: a socket without Nagle's delay, and a refusal that says what to do."""

from __future__ import annotations

import socket

import pytest

from mastra_convex.errors import InvalidArgumentError
from mastra_convex.server.run import listen


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost"])
def test_a_port_of_ones_own(host: str) -> None:
    with listen(host, 0) as listening:
        address, port = listening.getsockname()
        assert (address, port > 0) == ("127.0.0.1", True)
        # By this asyncio sees that it may turn Nagle's algorithm off.
        assert listening.proto == socket.IPPROTO_TCP


def test_an_address_of_six() -> None:
    if not socket.has_ipv6:
        return
    try:
        listening = listen("::1", 0)
    except InvalidArgumentError:
        return  # This machine has none.
    with listening:
        assert listening.family == socket.AF_INET6


def test_what_cannot_be_had() -> None:
    with listen("127.0.0.1", 0) as taken:
        port = taken.getsockname()[1]
        for host, number in (("127.0.0.1", port), ("192.0.2.1", 0), ("no.invalid", 0)):
            with pytest.raises(InvalidArgumentError, match="cannot listen on") as refused:
                listen(host, number)
            assert refused.value.data == {"host": host, "port": number}
