"""Registered functions: a path, a kind, validators and a handler.

The path comes from file and name, as on Convex: `list_by_agent` in `workflow_runs.py` is
`workflowRuns:listByAgent`. A trailing underscore is dropped, so that `list_` can be `list`. A
folder is part of the path: `handle` in `mastra/storage.py` is `mastra/storage:handle`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from types import ModuleType
from typing import Any, Literal

from mastra_convex.errors import FunctionNotFoundError
from mastra_convex.values.names import camel_case
from mastra_convex.values.validators import Validator, v

Kind = Literal["query", "mutation"]
Handler = Callable[[Any, dict[str, Any]], Any]


@dataclass(frozen=True, slots=True)
class Function:
    """One registered function. `args` and `returns` are checked by whoever runs it."""

    kind: Kind
    args: Validator
    returns: Validator
    handler: Handler
    public: bool = True


def query(
    args: Mapping[str, Validator], returns: Validator, *, public: bool = True
) -> Callable[[Handler], Function]:
    """Register a reader: it sees one snapshot and writes nothing."""
    return lambda handler: Function("query", v.object(args), returns, handler, public)


def mutation(
    args: Mapping[str, Validator], returns: Validator, *, public: bool = True
) -> Callable[[Handler], Function]:
    """Register a writer: all of it happens, or, when it raises, nothing."""
    return lambda handler: Function("mutation", v.object(args), returns, handler, public)


class Registry:
    """The functions of some modules, by path. Below the package `root`, folders are part of it."""

    def __init__(self, modules: Iterable[ModuleType], root: str = "") -> None:
        self.functions: dict[str, Function] = {}
        for module in modules:
            path = module.__name__
            inside = path.removeprefix(f"{root}.") if root else path.rpartition(".")[2]
            name = "/".join(map(camel_case, inside.split(".")))
            for attribute, value in vars(module).items():
                if isinstance(value, Function):
                    self.functions[f"{name}:{camel_case(attribute)}"] = value

    def find(self, path: str, kind: Kind, *, internal: bool = True) -> Function:
        """The function at `path`. Raises `FunctionNotFoundError` if it is not there or not `kind`.

        To those who may not call an internal one it is not there. Convex's other spelling of a
        module, `threads.js:get`, is understood (protocol, 2.12).
        """
        function = self.functions.get(path) or self.functions.get(path.replace(".js:", ":"))
        if function is None or not (function.public or internal):
            raise FunctionNotFoundError(f"there is no function {path!r}", path=path)
        if function.kind != kind:
            raise FunctionNotFoundError(
                f"{path!r} is a {function.kind}; it cannot be run as a {kind}",
                path=path,
                kind=function.kind,
                wanted=kind,
            )
        return function
