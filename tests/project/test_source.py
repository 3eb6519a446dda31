import re
from pathlib import Path

import pytest

from mastra_convex.errors import InvalidArgumentError
from mastra_convex.project.source import check_folder, functions

IMPORTS = b"""\
import { internal } from "../_generated/api.js";
import type { Doc } from "../_generated/dataModel";
import { v } from "convex/values";
import schema from "../schema.js";

await ctx.scheduler.runAfter(0, internal.threads.work, {});
"""


@pytest.fixture
def source(tmp_path: Path) -> Path:
    """A folder of functions, with what does not belong to them."""
    for name, content in {
        "threads.ts": b'import { query } from "./_generated/server.js";\n',
        "lib/steps.ts": IMPORTS,
        "threads.test.ts": b"",
        "vitest.config.ts": b"",
        "functions.json": b"{}",
        "_generated/api.d.ts": b"",
        "_generated/server.ts": b"",
        "README.md": b"",
    }.items():
        path = tmp_path / "source" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    return tmp_path / "source"


def test_only_functions_are_taken_and_as_they_are(source: Path) -> None:
    found = functions("", source)
    assert sorted(found) == ["lib/steps.ts", "threads.ts"]
    assert found["lib/steps.ts"] == IMPORTS


def test_a_sub_folder_reaches_what_convex_generates(source: Path) -> None:
    found = functions("mastra", source)
    assert sorted(found) == ["mastra/lib/steps.ts", "mastra/threads.ts"]
    assert found["mastra/threads.ts"] == b'import { query } from "../_generated/server.js";\n'
    assert found["mastra/lib/steps.ts"].decode() == (
        'import { internal as internalRoot } from "../../_generated/api.js";\n'
        "const internal = internalRoot.mastra;\n"
        'import type { Doc } from "../../_generated/dataModel";\n'
        'import { v } from "convex/values";\n'
        'import schema from "../schema.js";\n'
        "\n"
        "await ctx.scheduler.runAfter(0, internal.threads.work, {});\n"
    )


def test_a_folder_in_a_folder_is_two_levels_away(source: Path) -> None:
    found = functions("agents/mastra", source)
    assert b'"../../_generated/server.js"' in found["agents/mastra/threads.ts"]
    steps = found["agents/mastra/lib/steps.ts"]
    assert b'"../../../_generated/api.js"' in steps
    assert b"const internal = internalRoot.agents.mastra;" in steps


def test_the_real_functions_can_be_moved() -> None:
    found = functions("mastra")
    assert {"mastra/schema.ts", "mastra/threads.ts", "mastra/lib/access.ts"} <= found.keys()
    for name, content in found.items():
        for way in re.findall(rb"""["']([./]*)_generated/""", content):
            assert way == b"../" * name.count("/"), name
        if b"_generated/api" in content:
            assert b"Root.mastra;\n" in content, name
        # A path in a text would not be moved.
        assert b"makeFunctionReference" not in content, name
    assert b"export const tables = {" in found["mastra/schema.ts"]


@pytest.mark.parametrize(("given", "into"), [("mastra", "mastra"), ("/a/b_2/", "a/b_2")])
def test_a_folder_has_one_form(given: str, into: str) -> None:
    assert check_folder(given) == into


@pytest.mark.parametrize(
    "into",
    ["", "/", "..", "a/../b", "a-b", "_generated", "1st", "http", "a//b", "a b", "ä"],
)
def test_a_folder_that_convex_refuses(into: str) -> None:
    with pytest.raises(InvalidArgumentError, match="cannot be a folder of functions"):
        check_folder(into)
