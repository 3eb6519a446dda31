"""The official Python client in the hands of a test: python client.py URL. See client.mjs.

It has a process of its own because it holds the interpreter's lock while it waits.
"""

import json
import sys
from collections.abc import Callable, Iterator
from typing import Any

from convex import ConvexClient, ConvexError

client = ConvexClient(sys.argv[1])
watched: dict[str, Iterator[Any]] = {}


def mutations(calls: list[tuple[str, Any]]) -> list[str]:
    """One after another: the client knows no other way."""
    return [mutation(path, args) for path, args in calls]


def mutation(path: str, args: Any) -> str:
    """What came of one call, which may be made twice without harm."""
    while True:
        try:
            client.mutation(path, args)
        except ConvexError as error:
            return str(error.data["code"])
        except Exception as error:
            # A call that is under way when the connection breaks may be given up by the client.
            if "channel closed" not in str(error):
                raise
        else:
            return "done"


def watch(name: str, path: str, args: Any) -> None:
    """Begin to watch a query."""
    watched[name] = iter(client.subscribe(path, args))


def following(name: str) -> Any:
    """The next value of a query that is watched."""
    try:
        return {"value": next(watched[name])}
    except ConvexError as error:
        return {"error": error.data}


COMMANDS: dict[str, Callable[..., Any]] = {
    "login": client.set_auth,
    "query": client.query,
    "mutation": client.mutation,
    "mutations": mutations,
    "watch": watch,
    "next": following,
}

for line in sys.stdin:
    command = json.loads(line)
    number, what = command.pop("n"), command.pop("what")
    try:
        reply = {"n": number, "value": COMMANDS[what](*command.values())}
    except ConvexError as error:
        reply = {"n": number, "error": str(error), "data": error.data}
    except Exception as error:
        reply = {"n": number, "error": f"{type(error).__name__}: {error}", "data": None}
    print(json.dumps(reply), flush=True)
