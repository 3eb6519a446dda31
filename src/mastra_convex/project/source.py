"""The functions in TypeScript that come with this package, as they stand in a project."""

from __future__ import annotations

import re
from pathlib import Path

from mastra_convex.errors import InvalidArgumentError, ProjectError

_PACKAGE = Path(__file__).resolve().parent.parent
# In an installed package, or in a checkout.
_PLACES = (_PACKAGE / "_convex", _PACKAGE.parent.parent / "convex")

_FOLDER = re.compile(r"[A-Za-z]\w{0,63}", re.ASCII)
# Names with a meaning of their own in convex/, and what JavaScript does not take after a dot.
_RESERVED = {"http", "crons", "schema", "node_modules"}

_GENERATED = re.compile(rb"""(["'])(?:\./|((?:\.\./)+))_generated/""")
_API_IMPORT = re.compile(
    rb"""^import \{ (?P<names>[\w, ]+) \} from (?P<from>["'][./]*_generated/api(?:\.js)?["']);$""",
    re.MULTILINE,
)


def functions(into: str = "", source: Path | None = None) -> dict[str, bytes]:
    """Each file by its path in convex/, for the sub-folder `into`, or for convex/ itself.

    What Convex generates in convex/ is one level further away from a sub-folder, and its functions
    are reached through that folder's name.
    """
    source = source or _find()
    levels = into.count("/") + 1 if into else 0
    found = {}
    for path in sorted(source.rglob("*.ts")):
        # An app has one router, in convex/ itself: what the project gets is in plan.py.
        if path == source / "http.ts":
            continue
        # A second dot in a name means to Convex, too, that it is not deployed: tests, settings.
        if "_generated" in path.parts or path.name.count(".") > 1:
            continue
        content = path.read_bytes()
        name = path.relative_to(source).as_posix()
        found[f"{into}/{name}" if into else name] = (
            _moved(content, into, levels) if into else content
        )
    return found


def check_folder(into: str) -> str:
    """The sub-folder's name in one form. Raises `InvalidArgumentError` for one Convex refuses."""
    into = into.strip("/")
    for part in into.split("/"):
        if not _FOLDER.fullmatch(part) or part in _RESERVED:
            raise InvalidArgumentError(
                f"{into!r} cannot be a folder of functions: use letters, digits and underscores, "
                "such as mastra"
            )
    return into


def _find() -> Path:
    for place in _PLACES:
        if place.is_dir():
            return place
    raise ProjectError(
        "this installation has no functions to deploy; install the package again: "
        "pip install --force-reinstall mastra-convex",
        path=str(_PLACES[0]),
    )


def _moved(content: bytes, into: str, levels: int) -> bytes:
    up = b"../" * levels
    content = _GENERATED.sub(rb"\1" + up + rb"\2_generated/", content)
    return _API_IMPORT.sub(lambda found: _api_below(found, into), content)


def _api_below(found: re.Match[bytes], into: str) -> bytes:
    names = [name.strip() for name in found["names"].split(b",")]
    imported = b", ".join(name + b" as " + name + b"Root" for name in names)
    way = b"." + into.replace("/", ".").encode()
    own = b"\n".join(b"const " + name + b" = " + name + b"Root" + way + b";" for name in names)
    return b"import { " + imported + b" } from " + found["from"] + b";\n" + own
