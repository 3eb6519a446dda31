"""What init would do to a Convex project, and doing it."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mastra_convex.errors import InvalidArgumentError, ProjectError
from mastra_convex.project import auth, manifest
from mastra_convex.project.env import get_variable, set_variable
from mastra_convex.project.files import (
    Change,
    apply_changes,
    digest,
    make_private,
    plan_changes,
    read_file,
    write_file,
)
from mastra_convex.project.git import ignoring
from mastra_convex.project.manifest import Manifest
from mastra_convex.project.source import check_folder, functions
from mastra_convex.tokens import KEY_VARIABLE, Key

ENV_FILE = ".env.local"
SCHEMA = "schema.ts"
HTTP = "http.ts"
SUB_FOLDER = "mastra"
_TABLE = re.compile(r"\b(\w+): defineTable\(")
# What Convex makes a module of; a.js is in the way of a.ts.
_SUFFIXES = (".ts", ".tsx", ".js", ".jsx", ".mjs", ".cjs", ".mts", ".cts")


@dataclass(frozen=True)
class Plan:
    """What init would do, in whole."""

    folder: Path
    convex: Path
    manifest: Manifest
    changes: list[Change]
    # The names that are taken in convex/, if that is why a sub-folder was chosen.
    taken: list[str]
    # The key, whether it is new, and whether the project had others before it.
    key: Key
    is_new_key: bool
    # What becomes of .env.local and .gitignore; None: they stay as they are.
    env: bytes | None
    gitignore: bytes | None
    # What only the user can put into files that are the user's.
    auth_snippet: str | None
    schema_snippet: str | None
    http_snippet: str | None

    def carry_out(self) -> None:
        """Write it all. What a run that was stopped has done, the next one finds done."""
        if self.gitignore is not None:
            write_file(self.folder / ".gitignore", self.gitignore)
        if self.env is not None:
            write_file(self.folder / ENV_FILE, self.env, 0o600)
        make_private(self.folder / ENV_FILE)
        apply_changes(self.convex, self.changes)
        record = self.manifest.to_bytes()
        if read_file(self.convex / manifest.NAME, self.convex) != record:
            write_file(self.convex / manifest.NAME, record)


def make_plan(
    folder: Path,
    *,
    into: str | None = None,
    force: bool = False,
    new_key: bool = False,
    forget_old_keys: bool = False,
    source: Path | None = None,
) -> Plan:
    """What init would do to the project in `folder`. Nothing is written.

    `source` is a folder of functions in place of the one that this package brings along.
    """
    convex = _convex_folder(folder)
    before = manifest.load(convex)
    recorded = before.files if before else {}
    where, taken = _choose_folder(convex, before, into, source)

    env = read_file(folder / ENV_FILE, folder)
    key, is_new_key = _choose_key(env, folder, new_key)
    keys = [key.public_jwk]
    if before and not forget_old_keys:
        keys += [jwk for jwk in before.keys if jwk["kid"] != key.kid]

    wanted = functions(where, source)
    # These stand in convex/ itself, and may be the user's: then they are left alone.
    shared = {auth.NAME: auth.config(keys), HTTP: _http(where).encode()}
    if where:
        shared[SCHEMA] = _schema(where).encode()
    users = {
        name: text
        for name, ours in shared.items()
        if (text := _users_text(convex, name, ours, recorded.get(name), force)) is not None
    }
    _check_tables(convex, users.get(SCHEMA, ""), wanted.get(f"{where}/{SCHEMA}", b"").decode())
    wanted |= {name: ours for name, ours in shared.items() if name not in users}
    recorded = {name: known for name, known in recorded.items() if name not in users}
    changes = plan_changes(convex, wanted, recorded, force=force)
    return Plan(
        folder=folder,
        convex=convex,
        manifest=Manifest(where, _record(changes, recorded), keys),
        changes=changes,
        taken=taken,
        key=key,
        is_new_key=is_new_key,
        env=set_variable(env or b"", KEY_VARIABLE, key.to_text()) if is_new_key else None,
        gitignore=ignoring(folder, ENV_FILE),
        auth_snippet=_auth_snippet(users.get(auth.NAME), keys),
        schema_snippet=_schema_snippet(users.get(SCHEMA), where),
        http_snippet=_http_snippet(users.get(HTTP), where),
    )


def _convex_folder(folder: Path) -> Path:
    """Where the project keeps its functions: convex/, or what its convex.json says."""
    if not folder.is_dir():
        what = "is not a folder" if folder.exists() else "is not there"
        raise ProjectError(
            f"{folder} {what}; give the folder of a project, or make one: mkdir -p {folder}",
            path=str(folder),
        )
    settings = read_file(folder / "convex.json", folder)
    try:
        name: str = (json.loads(settings) if settings else {}).get("functions", "convex")
        convex = folder / name
    except (ValueError, AttributeError, TypeError) as error:
        raise ProjectError(
            f"{folder / 'convex.json'} cannot be read ({error}); correct it",
            path=str(folder / "convex.json"),
        ) from error
    if convex.exists() and not convex.is_dir():
        raise ProjectError(
            f"{convex} is a file where the folder of functions must be; move it away",
            path=str(convex),
        )
    return convex


def _choose_folder(
    convex: Path, before: Manifest | None, into: str | None, source: Path | None
) -> tuple[str, list[str]]:
    """The sub-folder to use, and the names that are taken if that is why."""
    if into is not None:
        into = check_folder(into)
    if before is not None:
        if into not in {None, before.into}:
            raise InvalidArgumentError(
                f"the functions are in {convex / before.into} already, and a second copy would "
                f"fight with it; to move them, remove those and {convex / manifest.NAME} first"
            )
        return before.into, []
    if into is not None:
        return into, []
    taken = _taken(convex, functions("", source))
    return (SUB_FOLDER, taken) if taken else ("", [])


def _taken(convex: Path, wanted: Mapping[str, bytes]) -> list[str]:
    """The files in convex/ that stand where functions of ours would, and are not the same."""
    found = []
    for name, content in wanted.items():
        stem = convex / name.removesuffix(".ts")
        for suffix in _SUFFIXES:
            path = stem.with_name(stem.name + suffix)
            if not path.exists():
                continue
            same = (
                suffix == ".ts" and path.is_file() and digest(path.read_bytes()) == digest(content)
            )
            if not same:
                found.append(path.relative_to(convex).as_posix())
    return found


def _choose_key(env: bytes | None, folder: Path, new_key: bool) -> tuple[Key, bool]:
    """The key in .env.local, or a new one; and which."""
    text = get_variable(env or b"", KEY_VARIABLE)
    if text and not new_key:
        try:
            return Key.from_text(text), False
        except InvalidArgumentError as error:
            raise InvalidArgumentError(f"{folder / ENV_FILE}: {error.message}") from error
    return Key.generate(), True


def _users_text(convex: Path, name: str, ours: bytes, known: str | None, force: bool) -> str | None:
    """The text of a file of the user's that stands where ours would; None if it may be ours."""
    for path in (convex / name, (convex / name).with_suffix(".js")):
        content = read_file(path, convex)
        if content is None or (path.name == name and digest(content) == digest(ours)):
            continue
        if path.name == name and known and (force or digest(content) == known):
            continue
        return content.decode("utf-8", "replace")
    return None


def _check_tables(convex: Path, theirs: str, ours: str) -> None:
    """Refuse a schema with a table of the name of one of ours: one would hide the other."""
    both = set(_TABLE.findall(theirs)) & set(_TABLE.findall(ours))
    if both:
        raise ProjectError(
            f"{convex / SCHEMA} has tables with names of ours ({', '.join(sorted(both))}), and "
            "tables are not in folders; rename yours, or use a Convex project of its own",
            path=str(convex / SCHEMA),
        )


def _record(changes: Iterable[Change], recorded: Mapping[str, str]) -> dict[str, str]:
    """The digests to remember. What a user has changed is measured against what we last wrote."""
    return {
        change.path: recorded[change.path] if change.fate == "kept" else digest(change.after)
        for change in changes
        if change.after is not None
    }


def _auth_snippet(text: str | None, keys: list[dict[str, Any]]) -> str | None:
    if text is None or auth.jwks_uri(keys) in text:
        return None
    return auth.provider(keys)


def _routes(where: str) -> str:
    return f"./{where}/otlp" if where else "./otlp"


def _http(where: str) -> str:
    return (
        'import { httpRouter } from "convex/server";\n'
        f'import {{ addOtlpRoutes }} from "{_routes(where)}";\n'
        "\n"
        "const http = httpRouter();\n"
        "addOtlpRoutes(http);\n"
        "\n"
        "export default http;\n"
    )


def _http_snippet(text: str | None, where: str) -> str | None:
    if text is None or _routes(where) in text:
        return None
    return (
        f'    import {{ addOtlpRoutes }} from "{_routes(where)}";\n'
        "    addOtlpRoutes(http); // your router\n"
    )


def _schema(where: str) -> str:
    return (
        'import { defineSchema } from "convex/server";\n'
        f'import {{ tables }} from "./{where}/schema";\n'
        "\n"
        "export default defineSchema({\n"
        "  ...tables,\n"
        "});\n"
    )


def _schema_snippet(text: str | None, where: str) -> str | None:
    if text is None or f"./{where}/schema" in text:
        return None
    return (
        f'    import {{ tables }} from "./{where}/schema";\n'
        "    export default defineSchema({\n"
        "      ...tables,\n"
        "      // your tables\n"
        "    });\n"
    )
