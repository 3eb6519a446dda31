"""The examples of the documentation run, and print what it says."""

import json
import os
import re
import subprocess
import sys
from dataclasses import asdict, dataclass
from pathlib import Path

import pytest

import mastra_convex
from mastra_convex.tokens import KEY_VARIABLE, Key
from tests.test_docs import FENCE, PAGES, ROOT, WIDTH, name_of, read

# Runs the blocks of one page, one after the other and without a network: Python in one namespace,
# our commands as programs. Tells what each has printed.
RUNNER = """
import contextlib, io, json, shlex, socket, subprocess, sys

def refuse(*_arguments, **_options):
    raise OSError("the examples of the documentation run without a network")

socket.socket.connect = socket.socket.connect_ex = socket.getaddrinfo = refuse

def run(command):
    words = shlex.split(command.replace("\\\\\\n", " "))
    program = [sys.executable, "-m", "mastra_convex.cli.main", *words[1:]]
    done = subprocess.run(program, stdout=-1, stderr=subprocess.STDOUT, encoding="utf-8")
    return f"$ {command}\\n{done.stdout}"

page = json.load(sys.stdin)
namespace = {"__name__": "__main__"}
printed = []
for block in page["blocks"]:
    out = io.StringIO()
    if block["commands"]:
        out.write("".join(map(run, block["commands"])))
    else:
        source = "\\n" * block["line"] + block["source"]
        with contextlib.redirect_stdout(out):
            exec(compile(source, page["name"], "exec"), namespace)
    printed.append(out.getvalue())
json.dump(printed, sys.stdout)
"""
ENVIRONMENT = {**os.environ, "PYTHONPATH": str(ROOT / "src"), "COLUMNS": "80", "TZ": "UTC"}
# As in the shell of a user who has one.
ENVIRONMENT[KEY_VARIABLE] = Key.generate().to_text()
# What differs from run to run in the output of a command.
VARYING = re.compile(r"\d{4}-\d\d-\d\d \d\d:\d\d(?::\d\d)?|\d+(?:\.\d+)? (?:bytes|[kMG]B)\b")


@dataclass
class Example:
    """A block to run, the line above it, and what it prints if the page says that."""

    line: int
    source: str
    commands: list[str]
    output: str | None


def our_commands(source: str) -> list[str]:
    """The commands in a console block, if all are ours and end by themselves."""
    found = re.findall(r"^\$ ((?:.*\\\n)*.*)$", source, re.MULTILINE)
    ours = all(re.match(r"mastra-convex (?!tail|dev)", command) for command in found)
    return found if ours else []


def examples(text: str) -> list[Example]:
    """The blocks of a page that can be run.

    A `text` block that follows directly on a Python block is what that prints.
    """
    found: list[Example] = []
    end = None
    for block in FENCE.finditer(text):
        language, body = block.groups()
        line = text.count("\n", 0, block.start()) + 1
        if language == "text" and end is not None and not text[end : block.start()].strip():
            found[-1].output = body
        end = None
        if language == "python":
            found.append(Example(line, body, [], None))
            end = block.end()
        elif language == "console" and (ours := our_commands(body)):
            found.append(Example(line, body, ours, body))
    return found


def run_examples(name: str, text: str, folder: Path) -> list[str]:
    """Run the blocks of a page in `folder`; what is wrong with them."""
    blocks = examples(text)
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", RUNNER],
        input=json.dumps({"name": name, "blocks": [asdict(block) for block in blocks]}),
        cwd=folder,
        env=ENVIRONMENT,
        capture_output=True,
        encoding="utf-8",
        timeout=60,
        check=False,
    )
    if done.returncode or done.stderr:
        return [done.stderr or f"{name} ends with {done.returncode}"]
    return [
        f"{name}:{block.line} prints\n{text}and the page says\n{block.output}"
        for block, text in zip(blocks, json.loads(done.stdout))
        if block.output is not None and not same_output(block, text)
    ]


def same_output(block: Example, printed: str) -> bool:
    """Whether a block prints what the page says; of a command, times and sizes may differ."""
    if not block.commands:
        return printed == block.output
    said = VARYING.sub("", block.output or "").split("\n")
    return said == VARYING.sub("", printed).split("\n")


WITH_EXAMPLES = [page for page in PAGES if examples(read(page))]


@pytest.mark.parametrize("page", WITH_EXAMPLES, ids=name_of)
def test_examples_run(page: Path, tmp_path: Path) -> None:
    problems = run_examples(name_of(page), read(page), tmp_path)
    assert not problems, "\n".join(problems)


@pytest.mark.parametrize("page", WITH_EXAMPLES, ids=name_of)
def test_examples_fit_on_the_page(page: Path) -> None:
    long = [
        f"{name_of(page)}:{block.line + number}"
        for block in examples(read(page))
        if not block.commands
        for number, line in enumerate(block.source.splitlines(), 1)
        if len(line) > WIDTH
    ]
    assert not long, f"lines of more than {WIDTH} characters: {long}"


def test_an_example_that_fails_is_found(tmp_path: Path) -> None:
    right = "```python\nx = 1\n```\n\n```python\nprint(x)\n```\n\n```text\n1\n```\n"
    assert run_examples("right.md", right, tmp_path) == []
    (found,) = run_examples("wrong.md", right.replace("\n1\n", "\n2\n"), tmp_path)
    assert found.startswith("wrong.md:5 prints\n1\n")
    (found,) = run_examples("fails.md", "\n```python\n\nx\n```\n", tmp_path)
    assert 'File "fails.md", line 4' in found
    network = "```python\nimport socket\n\nsocket.create_connection(('a.test', 80))\n```\n"
    (found,) = run_examples("network.md", network, tmp_path)
    assert "without a network" in found


def test_a_command_that_prints_something_else_is_found(tmp_path: Path) -> None:
    version = mastra_convex.__version__
    right = f"```console\n$ mastra-convex \\\n  --version\nmastra-convex, version {version}\n```\n"
    assert run_examples("right.md", right, tmp_path) == []
    (found,) = run_examples("wrong.md", right.replace(version, "none"), tmp_path)
    assert found.startswith("wrong.md:1 prints\n$ mastra-convex")
    assert examples("```console\n$ make demo\n```\n") == []
    assert examples("```console\n$ mastra-convex tail\n```\n") == []
    assert examples("```console\n$ mastra-convex dev\n```\n") == []
