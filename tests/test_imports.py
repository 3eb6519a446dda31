"""Who may import whom, as data; the whole of src/ is held against it.

A module belongs to the layer with the longest matching name. What a layer may import of ours is
listed; `on_use` lists what it may import besides, inside a function or for type checkers only.
"""

import ast
import json
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, NamedTuple

import pytest

PACKAGE = "mastra_convex"
SRC = Path(__file__).resolve().parent.parent / "src"
FLOOR = ("errors", "values")
# What both faces of the client may import.
CLIENT = (
    *(
        *FLOOR,
        "models",
        "models_jobs",
        "models_signals",
        "span",
        "domains",
        "reads",
        "_mailbox",
        "_pauses",
    ),
    *("updates", "updates_jobs", "updates_signals", "memory_updates"),
    *("backends.base", "backends.credentials"),
    *("backends.Options", "backends.open_backend", "backends.open_async_backend"),
)

# They would make a transaction's result depend on more than its arguments and what it read.
NOT_IN_A_TRANSACTION = frozenset(
    {
        *("asyncio", "concurrent", "multiprocessing", "subprocess", "threading"),
        *("http", "select", "selectors", "socket", "ssl", "urllib"),
        *("os", "pathlib", "sqlite3", "tempfile"),
        *("random", "secrets", "time", "uuid"),
    }
)
# They would make a description of reads, or a conversion, do work of its own.
WORK = NOT_IN_A_TRANSACTION - {"os", "pathlib", "tempfile"}

# They would make a program of attempts wait, instead of saying that it has to.
WAITING = frozenset({"asyncio", "concurrent", "select", "subprocess", "threading", "time"})
# The parts of the remote backend.
REMOTE = (
    *("backends.attempts", "backends.base", "backends.calls", "backends.credentials"),
    "backends.loop_thread",
)

TYPE_STUBS = "typing_extensions"  # type checkers bring it along
FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda)
ENTITIES = (
    *("threads", "messages", "resources", "traces", "spans", "evals", "workflowRuns", "system"),
    *("scores", "schedules", "backgroundTasks", "channels"),
    *("metrics", "scoreEvents", "feedback", "discovery"),
)


@dataclass(frozen=True)
class Layer:
    """What the modules under one name may import. Names are below `mastra_convex`; "" is itself."""

    ours: tuple[str, ...] = ()
    on_use: tuple[str, ...] = ()
    not_stdlib: frozenset[str] = frozenset({"sqlite3"})
    third_party: tuple[str, ...] = ()
    not_named: tuple[str, ...] = ()


LAYERS = {
    "errors": Layer(not_stdlib=WORK),
    "_version": Layer(not_stdlib=WORK),
    "values": Layer(("errors", "values"), not_stdlib=WORK),
    "record": Layer(FLOOR, not_stdlib=WORK),
    "models": Layer((*FLOOR, "record"), not_stdlib=WORK),
    "models_jobs": Layer((*FLOOR, "record", "models"), not_stdlib=WORK),
    "models_signals": Layer((*FLOOR, "record", "models"), not_stdlib=WORK),
    "preview": Layer((*FLOOR,), not_stdlib=WORK),
    "span": Layer((*FLOOR, "record", "models", "preview"), not_stdlib=WORK),
    "domains": Layer(("errors",), not_stdlib=WORK),
    "reads": Layer(
        (*FLOOR, "record", "models", "models_jobs", "models_signals", "span", "reads"),
        not_stdlib=WORK,
    ),
    "updates": Layer((*FLOOR, "record", "models", "span"), not_stdlib=WORK),
    "updates_signals": Layer(
        (*FLOOR, "record", "models", "models_signals", "span", "updates"), not_stdlib=WORK
    ),
    "memory_updates": Layer((*FLOOR, "record", "models"), not_stdlib=frozenset({"sqlite3"})),
    # A record that has no id gets one.
    "updates_jobs": Layer((*FLOOR, "record", "models_jobs"), not_stdlib=WORK - {"uuid"}),
    "importers": Layer((*FLOOR, "importers"), not_stdlib=WORK),
    # What the columns of @mastra/convex are is written once, for its calls and for its exports.
    "importers.mastra_rows": Layer(
        (*FLOOR, "importers"),
        on_use=("functions.lib.columns", "functions.lib.snapshots"),
        not_stdlib=WORK,
    ),
    "engine": Layer((*FLOOR, "engine"), not_named=ENTITIES),
    "engine.store": Layer((*FLOOR, "engine"), not_stdlib=frozenset(), not_named=ENTITIES),
    "functions": Layer(
        (
            *FLOOR,
            "engine.context",
            "engine.cursor",
            "engine.migrations",
            "engine.query",
            "engine.registry",
            "engine.schema",
            "functions",
        ),
        not_stdlib=NOT_IN_A_TRANSACTION,
    ),
    "backends": Layer((*FLOOR, "backends.base", "backends.credentials"), on_use=("backends",)),
    "backends.base": Layer(FLOOR),
    "backends.live": Layer((*FLOOR, "backends.base")),
    "backends.served": Layer(
        (*FLOOR, "backends.base", "backends.embedded", "backends.live", "engine", "functions")
    ),
    "backends.embedded": Layer((*FLOOR, "backends.base", "engine", "functions")),
    "backends.credentials": Layer(FLOOR, on_use=("tokens",)),
    "backends.loop_thread": Layer(FLOOR),
    "backends.attempts": Layer(
        (*FLOOR, "backends.base", "backends.compatibility", "protocol"), not_stdlib=WAITING
    ),
    "backends.calls": Layer((*FLOOR, *REMOTE, "_version", "extras"), third_party=("aiohttp",)),
    "backends.subscriptions": Layer(
        (*FLOOR, *REMOTE, "extras", "protocol"), third_party=("websockets",)
    ),
    "backends.remote": Layer((*FLOOR, *REMOTE, "backends.subscriptions", "protocol")),
    "backends.compatibility": Layer(FLOOR),
    "extras": Layer(("errors",), not_stdlib=WORK),
    "tokens": Layer(("errors", "extras"), third_party=("cryptography", "jwt")),
    "protocol": Layer((*FLOOR, "protocol"), not_stdlib=WORK),
    "otlp": Layer((*FLOOR, "otlp", "span", "updates"), not_stdlib=WORK),
    "otlp.protobuf": Layer(
        (*FLOOR, "extras", "otlp"), not_stdlib=WORK, third_party=("google", "opentelemetry")
    ),
    "server": Layer(
        (*FLOOR, "backends.base", "otlp", "protocol", "server", "tokens"),
        third_party=("starlette",),
    ),
    "server.keys": Layer((*FLOOR, "project.env", "server", "tokens")),
    "server.run": Layer((*FLOOR, "protocol", "server"), third_party=("starlette", "uvicorn")),
    "server.http": Layer(third_party=("uvicorn",)),
    "server.websocket": Layer(("server.http",), third_party=("uvicorn", "websockets")),
    "project": Layer(("errors", "project", "tokens")),
    "_mailbox": Layer(FLOOR),
    "_pauses": Layer(),
    "_async": Layer((*CLIENT, "_async"), on_use=("backends",)),
    "_sync": Layer((*CLIENT, "_sync"), on_use=("backends",)),
    "": Layer(
        (*FLOOR, "models", "models_jobs", "models_signals", "span", "_version", "_async", "_sync")
    ),
    "testing": Layer(("", "backends.recording")),
    "integrations": Layer(("", "errors", "extras", "otlp", "integrations")),
    "integrations.opentelemetry": Layer(
        ("", "errors", "extras", "otlp", "integrations"), third_party=("opentelemetry",)
    ),
    "cli": Layer(
        ("", "errors", "models", "importers", "cli"),
        on_use=(
            *("backends.compatibility", "backends.served", "extras"),
            *("project", "protocol", "server", "tokens"),
        ),
        third_party=("click", "httpx"),
    ),
}


When = Literal["always", "on use", "for types"]


class Import(NamedTuple):
    """One import: the line, the dotted name, and when it is done."""

    line: int
    name: str
    when: When


def module_name(path: Path, src: Path = SRC) -> str:
    """`mastra_convex.engine.store` for its file; a package is its `__init__`."""
    parts = path.relative_to(src).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def imports(tree: ast.AST, module: str, *, package: bool) -> Iterator[Import]:
    """Every import in a module, relative ones resolved; `from a import b` counts as `a.b`."""

    def visit(node: ast.AST, when: When) -> Iterator[Import]:
        if isinstance(node, ast.Import):
            yield from (Import(node.lineno, alias.name, when) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = node.module or ""
            if node.level:
                levels = module.split(".")
                levels = levels[: len(levels) - node.level + package]
                base = ".".join([*levels, *([node.module] if node.module else [])])
            yield from (Import(node.lineno, f"{base}.{a.name}", when) for a in node.names)
        elif isinstance(node, ast.Call) and ast.unparse(node.func).endswith(
            ("import_module", "__import__")
        ):
            target = node.args[0] if node.args else None
            if isinstance(target, ast.Constant) and isinstance(target.value, str):
                yield Import(node.lineno, target.value, when)
        if isinstance(node, ast.If) and ast.unparse(node.test).endswith("TYPE_CHECKING"):
            for statement in node.body:
                yield from visit(statement, "for types")
            for statement in node.orelse:
                yield from visit(statement, when)
            return
        if when == "always" and isinstance(node, FUNCTIONS):
            when = "on use"
        for child in ast.iter_child_nodes(node):
            yield from visit(child, when)

    yield from visit(tree, "always")


def within(name: str, prefix: str) -> bool:
    """Whether dotted `name` is `prefix` or below it."""
    return name == prefix or name.startswith(prefix + ".")


def layer_of(name: str) -> str | None:
    """The layer of a module or of a name in one; the root package's own names are layer ""."""
    below = name.removeprefix(PACKAGE).removeprefix(".")
    matching = [layer for layer in LAYERS if layer and within(below, layer)]
    if matching:
        return max(matching, key=len)
    return "" if below.count(".") == 0 else None


def allowed(name: str, prefixes: tuple[str, ...]) -> bool:
    """Whether an import of ours is under one of `prefixes`; "" stands for the public names."""
    below = name.removeprefix(PACKAGE).removeprefix(".")
    return any(within(below, p) if p else layer_of(name) == "" for p in prefixes)


def broken(source: str, module: str, file: str, *, package: bool = False) -> list[str]:
    """Each broken rule of one module, as `file:line: what`."""
    name = layer_of(module)
    if name is None or (name == "" and module != PACKAGE):
        return [f"{file}:1: {module} is in no layer of tests/test_imports.py: give it one"]
    layer = LAYERS[name]
    shown = name or PACKAGE
    tree = ast.parse(source, file)
    found = []
    for line, target, when in imports(tree, module, package=package):
        top = target.partition(".")[0]
        if top == PACKAGE:
            if not allowed(target, layer.ours):
                if not allowed(target, layer.on_use):
                    found.append(f"{file}:{line}: {shown} must not import {target}")
                elif when == "always":
                    found.append(f"{file}:{line}: {shown} may import {target} only on use")
        elif top in sys.stdlib_module_names:
            if top in layer.not_stdlib:
                found.append(f"{file}:{line}: {shown} must not import {top} of the stdlib")
        elif top not in layer.third_party and (when, top) != ("for types", TYPE_STUBS):
            found.append(f"{file}:{line}: {shown} must not import the third-party {target}")
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and node.value in layer.not_named:
            found.append(f"{file}:{node.lineno}: {shown} must not know the entity {node.value}")
    return found


@pytest.mark.parametrize(
    "path", sorted(SRC.rglob("*.py")), ids=lambda path: path.relative_to(SRC).as_posix()
)
def test_source_keeps_to_its_layer(path: Path) -> None:
    found = broken(
        path.read_text(encoding="utf-8"),
        module_name(path),
        path.relative_to(SRC.parent).as_posix(),
        package=path.name == "__init__.py",
    )
    assert not found, "\n".join(found)


@pytest.mark.parametrize(
    ("module", "source", "rule"),
    [
        ("values.x", "from mastra_convex.models import Thread", "must not import"),
        ("values.x", "from .. import engine", "must not import"),
        ("errors", "from mastra_convex.values import payload", "must not import"),
        ("errors", "import time", "must not import time"),
        ("models", "import mastra_convex.engine.query", "must not import"),
        ("models", "import typing_extensions", "must not import the third-party"),
        ("record", "from mastra_convex.models import Thread", "must not import"),
        ("reads.x", "import asyncio", "must not import asyncio"),
        ("reads.x", "from mastra_convex.backends.base import Backend", "must not import"),
        ("importers.x", "from mastra_convex.models import Thread", "must not import"),
        ("importers.x", "from mastra_convex import ConvexStorage", "must not import"),
        ("importers.x", "import socket", "must not import socket"),
        ("engine.x", "from mastra_convex.functions import threads", "must not import"),
        ("engine.x", "from mastra_convex.backends.base import Backend", "must not import"),
        ("engine.x", "import sqlite3", "must not import sqlite3"),
        ("engine.x", "def f():\n    import sqlite3", "must not import sqlite3"),
        ("engine.x", "TABLE = 'threads'", "must not know the entity threads"),
        ("engine.store", "TABLE = 'workflowRuns'", "must not know the entity workflowRuns"),
        ("functions.x", "from mastra_convex.engine.store import Connection", "must not import"),
        ("functions.x", "from mastra_convex.engine import engine", "must not import"),
        ("functions.x", "from mastra_convex.models import Thread", "must not import"),
        ("functions.x", "def f():\n    import uuid", "must not import uuid"),
        ("functions.x", "from urllib.request import urlopen", "must not import urllib"),
        ("functions.lib.x", "from time import time", "must not import time"),
        ("backends", "from mastra_convex.backends.embedded import E", "only on use"),
        ("backends.base", "from mastra_convex.engine.engine import Engine", "must not import"),
        ("backends.x", "from mastra_convex.engine.engine import Engine", "must not import"),
        ("backends.x", "import httpx", "must not import the third-party httpx"),
        ("backends.embedded", "from mastra_convex.models import Thread", "must not import"),
        ("backends", "from mastra_convex.backends.remote import RemoteBackend", "only on use"),
        ("backends.credentials", "from mastra_convex.tokens import Key", "only on use"),
        ("backends.attempts", "import time", "must not import time"),
        ("backends.attempts", "import httpx", "must not import the third-party httpx"),
        ("backends.remote", "from mastra_convex.engine.engine import Engine", "must not import"),
        ("backends.subscriptions", "import httpx", "must not import the third-party httpx"),
        (
            "backends.compatibility",
            "from mastra_convex.functions.system import version",
            "must not import",
        ),
        ("extras", "import socket", "must not import socket"),
        ("tokens", "from mastra_convex.models import Thread", "must not import"),
        ("tokens", "import httpx", "must not import the third-party httpx"),
        ("protocol.x", "import socket", "must not import socket"),
        ("protocol.x", "import httpx", "must not import the third-party httpx"),
        ("protocol.x", "from mastra_convex.backends.base import Backend", "must not import"),
        ("backends.live", "from mastra_convex.engine.feed import Report", "must not import"),
        ("backends.served", "import starlette", "must not import the third-party starlette"),
        ("server.x", "from mastra_convex.engine.engine import Engine", "must not import"),
        ("server.x", "from mastra_convex.functions import registry", "must not import"),
        ("server.x", "from mastra_convex.backends.served import E", "must not import"),
        ("otlp.x", "import opentelemetry", "must not import the third-party opentelemetry"),
        ("otlp.x", "from mastra_convex.backends.base import Backend", "must not import"),
        ("otlp.protobuf", "import threading", "must not import threading"),
        ("server.x", "import uvicorn", "must not import the third-party uvicorn"),
        ("server.keys", "from mastra_convex.project.plan import plan", "must not import"),
        ("server.run", "import websockets", "must not import the third-party websockets"),
        ("server.websocket", "import starlette", "must not import the third-party starlette"),
        ("project.x", "from mastra_convex.cli.text import fail", "must not import"),
        ("project.x", "import jwt", "must not import the third-party jwt"),
        ("_async.x", "from mastra_convex.backends import embedded", "only on use"),
        ("_async.x", "from ..backends.embedded import Embedded", "only on use"),
        ("_async.x", "def f():\n    from mastra_convex.engine import engine", "must not import"),
        (
            "_async.x",
            "import importlib\nimportlib.import_module('mastra_convex._sync')",
            "must not",
        ),
        ("_sync.x", "from mastra_convex._async import storage", "must not import"),
        ("_sync.x", "from mastra_convex.functions import threads", "must not import"),
        ("", "from mastra_convex.engine.engine import Engine", "must not import"),
        ("", "import click", "must not import the third-party click"),
        ("cli.x", "from mastra_convex._sync.storage import ConvexStorage", "must not import"),
        ("cli.x", "from mastra_convex.backends import open_backend", "must not import"),
        ("cli.x", "from mastra_convex.tokens import Key", "only on use"),
        ("cli.x", "import jwt", "must not import the third-party jwt"),
        ("cli.x", "import sqlite3", "must not import sqlite3"),
        ("cli.x", "import rich", "must not import the third-party rich"),
        ("integrations.x", "from mastra_convex._sync.base import S", "must not import"),
        ("integrations.x", "import opentelemetry", "must not import the third-party"),
        ("novel", "import json", "is in no layer"),
        ("novel.x", "import json", "is in no layer"),
    ],
)
def test_each_rule_fires(module: str, source: str, rule: str) -> None:
    name = f"{PACKAGE}.{module}".removesuffix(".")
    found = broken(source, name, "src/sample.py", package="." not in name)
    assert len(found) == 1
    assert found[0].startswith("src/sample.py:")
    assert rule in found[0]


@pytest.mark.parametrize(
    ("module", "source"),
    [
        ("values.x", "import json\nfrom mastra_convex.errors import InvalidArgumentError"),
        ("models", "if TYPE_CHECKING:\n    from typing_extensions import Self"),
        ("engine.store", "import sqlite3\nfrom . import schema"),
        ("functions.x", "from mastra_convex.engine.context import QueryCtx\nimport json"),
        ("functions.x", "from .lib import access"),
        ("backends", "def f():\n    from mastra_convex.backends.embedded import E"),
        ("_async.x", "from mastra_convex.backends import open_async_backend"),
        ("_async.x", "def f():\n    from mastra_convex.backends.embedded import E"),
        ("_async.x", "if TYPE_CHECKING:\n    from mastra_convex.backends.embedded import E"),
        ("_async.x", "from mastra_convex.backends.base import AsyncBackend"),
        ("cli.x", "import click\nfrom mastra_convex import ConvexStorage, __version__"),
        ("cli.x", "from mastra_convex.importers import reading"),
        ("", "from mastra_convex._sync.storage import ConvexStorage"),
    ],
)
def test_what_is_allowed_passes(module: str, source: str) -> None:
    assert broken(source, f"{PACKAGE}.{module}".removesuffix("."), "src/sample.py") == []


def test_every_layer_exists() -> None:
    gone = [
        name
        for name in LAYERS
        if not (SRC / PACKAGE / name.replace(".", "/")).is_dir()
        and not (SRC / PACKAGE / f"{name.replace('.', '/')}.py").is_file()
    ]
    assert not gone, f"layers of tests/test_imports.py without a module: {gone}"


def loaded_by(statement: str) -> set[str]:
    """The modules that `statement` loads in a fresh interpreter."""
    code = (
        "import json, sys; before = set(sys.modules)\n"
        f"{statement}\n"
        "print(json.dumps(sorted(set(sys.modules) - before)))"
    )
    done = subprocess.run([sys.executable, "-I", "-c", code], capture_output=True, check=True)
    return set(json.loads(done.stdout))


def test_importing_is_cheap() -> None:
    loaded = loaded_by("import mastra_convex")
    foreign = {
        name for name in loaded if name.partition(".")[0] not in {*sys.stdlib_module_names, PACKAGE}
    }
    assert not foreign, f"import mastra_convex loads third-party modules: {sorted(foreign)}"
    heavy = {
        name
        for name in loaded
        if within(name, "sqlite3")
        or any(
            within(name, f"{PACKAGE}.{part}")
            for part in ("engine", "functions", "cli", "importers")
        )
    }
    assert not heavy, f"import mastra_convex loads what should be loaded on use: {sorted(heavy)}"


def test_the_command_line_starts_without_the_engine() -> None:
    loaded = loaded_by("import mastra_convex.cli.main")
    heavy = {n for n in loaded if within(n, "sqlite3") or within(n, f"{PACKAGE}.engine")}
    assert not heavy, f"the command line loads what should be loaded on use: {sorted(heavy)}"
