"""The documentation names all there is, and its links lead somewhere."""

import importlib.util
import inspect
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from importlib.machinery import SourceFileLoader
from pathlib import Path
from types import ModuleType

import click
import pytest

import mastra_convex
from mastra_convex import AsyncConvexStorage, AsyncWatch, ConvexStorage, ConvexStorageError, Watch
from mastra_convex.cli.main import main as cli
from mastra_convex.engine.schema import BY_CREATION_TIME
from mastra_convex.functions import registry, schema
from mastra_convex.models import Record

ROOT = Path(__file__).resolve().parent.parent
DOCS = ROOT / "docs"
REFERENCE = DOCS / "reference"
PAGES = sorted([ROOT / "README.md", *DOCS.rglob("*.md")])
# Pages of the reference that are not about methods.
NOT_METHODS = {"cli.md", "conventions.md", "domains.md", "errors.md"}
WIDTH = 120

FENCE = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
HEADING = re.compile(r"^#+ (.+)$", re.MULTILINE)
LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")


def name_of(page: Path) -> str:
    return page.relative_to(ROOT).as_posix()


def read(page: Path) -> str:
    return page.read_text(encoding="utf-8")


def without_code(text: str) -> str:
    """The text with the content of its code blocks left out, line by line where it was."""
    return FENCE.sub(lambda block: "\n" * block[0].count("\n"), text)


def sections(page: Path) -> dict[str, str]:
    """The text below each `### heading`, up to the next heading of that or a higher level."""
    parts = re.split(r"^(#{1,3}) (.+)$", read(page), flags=re.MULTILINE)
    return {
        title: text
        for level, title, text in zip(parts[1::3], parts[2::3], parts[3::3])
        if level == "###"
    }


each_page = pytest.mark.parametrize("page", PAGES, ids=name_of)


# What there is


def public_methods(*classes: type) -> dict[str, Callable[..., object]]:
    """The public methods of classes, by name."""
    return {
        name: method
        for owner in classes
        for name, method in inspect.getmembers(owner, inspect.isfunction)
        if not name.startswith("_")
    }


METHODS = public_methods(ConvexStorage, AsyncConvexStorage)
METHOD_SECTIONS = {
    title: text
    for page in REFERENCE.glob("*.md")
    if page.name not in NOT_METHODS
    for title, text in sections(page).items()
}


@pytest.mark.parametrize("name", sorted(METHODS))
def test_every_method_has_a_section_that_says_all(name: str) -> None:
    assert name in METHOD_SECTIONS, f"docs/reference/ has no heading `### {name}`"
    section = METHOD_SECTIONS[name]
    for part in ("- **Arguments.**", "- **Returns**", "- **Raises**", "- **Cost.**", "```python"):
        assert part in section, f"`### {name}` lacks {part}"
    described = section.partition("- **Arguments.**")[2].partition("- **Returns**")[0]
    parameters = [p for p in inspect.signature(METHODS[name]).parameters if p != "self"]
    missing = [parameter for parameter in parameters if f"`{parameter}`" not in described]
    assert not missing, f"`### {name}` does not describe {missing}"


@pytest.mark.parametrize("name", sorted(METHODS))
def test_every_signature_is_the_one_of_the_code(name: str) -> None:
    shown = re.search(rf"`{name}\((.*?)\)", METHOD_SECTIONS[name], re.DOTALL)
    assert shown, f"`### {name}` does not show how it is called"
    parameters = list(inspect.signature(METHODS[name]).parameters.values())[1:]
    expected: list[str] = []
    for parameter in parameters:
        if parameter.kind is parameter.KEYWORD_ONLY and "*" not in expected:
            expected.append("*")
        default = "" if parameter.default is parameter.empty else f"={parameter.default!r}"
        stars = "**" if parameter.kind is parameter.VAR_KEYWORD else ""
        expected.append(stars + parameter.name + default)
    assert " ".join(shown[1].split()) == ", ".join(expected)


def test_every_setting_is_described() -> None:
    section = METHOD_SECTIONS["ConvexStorage"]
    for face in (ConvexStorage, AsyncConvexStorage):
        for parameter in list(inspect.signature(face).parameters.values()):
            assert f"{parameter.name}={parameter.default!r}".replace("'", '"') in section
            assert f"`{parameter.name}`: " in section


def test_no_section_is_about_a_method_that_is_gone() -> None:
    known = METHODS | public_methods(Watch, AsyncWatch)
    assert METHOD_SECTIONS.keys() <= known.keys() | {"ConvexStorage"}


def test_what_an_iterator_offers_is_described() -> None:
    page = read(REFERENCE / "subscriptions.md")
    for name in public_methods(Watch, AsyncWatch):
        assert f"`{name}" in page or f"### {name}" in page, f"subscriptions.md lacks {name}"


def error_classes(root: type[ConvexStorageError]) -> Iterator[type[ConvexStorageError]]:
    yield root
    for child in root.__subclasses__():
        yield from error_classes(child)


def test_every_error_code_has_a_heading() -> None:
    codes = {error.code for error in error_classes(ConvexStorageError)}
    found = sections(REFERENCE / "errors.md")
    assert found.keys() == codes
    for code in codes - {"STORAGE_ERROR"}:
        assert "**Cause.**" in found[code], f"{code} has no cause"
        assert "**Remedy.**" in found[code], f"{code} has no remedy"


def test_the_error_tree_is_the_one_of_the_code() -> None:
    page = read(REFERENCE / "errors.md")
    for error in error_classes(ConvexStorageError):
        assert re.search(rf"\b{error.__name__} +{error.code}\b", page), (
            f"{error.__name__} is missing"
        )


def test_every_public_name_is_mentioned() -> None:
    everything = "".join(read(page) for page in PAGES)
    missing = [n for n in mastra_convex.__all__ if n != "__version__" and n not in everything]
    assert not missing, f"public names that no page mentions: {missing}"


RECORDS = {
    "threads": mastra_convex.Thread,
    "messages": mastra_convex.Message,
    "resources": mastra_convex.Resource,
    "traces": mastra_convex.Trace,
    "logs": mastra_convex.Log,
    "evals": mastra_convex.Eval,
    "workflow_runs": mastra_convex.WorkflowRun,
    "observational_memory": mastra_convex.ObservationalMemory,
    "scores": mastra_convex.Score,
    "schedules": mastra_convex.Schedule,
    "background_tasks": mastra_convex.BackgroundTask,
    "channels": mastra_convex.ChannelInstallation,
}


@pytest.mark.parametrize("entity", RECORDS)
def test_every_field_of_a_record_is_in_its_table(entity: str) -> None:
    record: type[Record] = RECORDS[entity]
    rows = "\n".join(
        line for line in read(REFERENCE / f"{entity}.md").splitlines() if line.startswith("| `")
    )
    missing = [field.name for field in record.fields if f"`{field.name}`" not in rows]
    missing += [
        field.wire_name
        for field in record.fields
        if field.wire_name != field.name and f"`{field.wire_name}`" not in rows
    ]
    assert not missing, f"{entity}.md lacks {missing}"


def test_every_function_is_listed() -> None:
    page = read(DOCS / "internals" / "functions.md")
    listed = dict(re.findall(r"^\| `([\w/]+:\w+)` \| (query|mutation) \|", page, re.MULTILINE))
    assert listed == {path: function.kind for path, function in registry.functions.items()}


def test_every_table_is_listed() -> None:
    page = read(DOCS / "internals" / "file-format.md")
    for name, table in schema.tables.items():
        row = re.search(rf"^\| `{name}` \|.*$", page, re.MULTILINE)
        assert row, f"file-format.md lacks {name}"
        missing = [
            name for name in table.indexes if name != BY_CREATION_TIME and f"`{name}`" not in row[0]
        ]
        assert not missing, f"file-format.md lacks the indexes {missing} of {name}"


# The command line


def commands(command: click.Command, name: str) -> Iterator[tuple[str, click.Command]]:
    """Each command that shows, with the words that call it."""
    yield name, command
    if isinstance(command, click.Group):
        context = click.Context(command)
        for child in command.list_commands(context):
            found = command.get_command(context, child)
            if found is not None and not found.hidden:
                yield from commands(found, f"{name} {child}")


COMMANDS = dict(commands(cli, "mastra-convex"))


@pytest.mark.parametrize("name", sorted(COMMANDS))
def test_every_command_has_help_and_is_in_the_reference(name: str) -> None:
    command, page = COMMANDS[name], read(REFERENCE / "cli.md")
    assert command.help, f"{name} has no help"
    section = re.search(rf"^## {name}$(.*?)(?=^## |\Z)", page, re.MULTILINE | re.DOTALL)
    assert section, f"cli.md has no heading `## {name}`"
    for parameter in command.params:
        options = [option for option in parameter.opts if option.startswith("-")]
        for option in options:
            assert option in section[1], f"cli.md lacks {option} of {name}"
        if options:
            assert getattr(parameter, "help", None), f"{options[0]} of {name} has no help"


def test_every_option_of_import_is_in_its_guide() -> None:
    guide = read(DOCS / "guides" / "import.md")
    options = [option for p in COMMANDS["mastra-convex import"].params for option in p.opts]
    missing = [
        option for option in options if option.startswith("--") and f"`{option}" not in guide
    ]
    assert not missing, f"docs/guides/import.md lacks {missing}"


def test_the_generated_page_is_fresh() -> None:
    command = [sys.executable, str(ROOT / "scripts" / "docs"), "--check"]
    done = subprocess.run(command, capture_output=True, encoding="utf-8", check=False)
    assert done.returncode == 0, done.stderr


# Links and words


def slug(heading: str) -> str:
    """The anchor that a heading gets, as GitHub makes it."""
    return re.sub(r"[^\w\- ]", "", heading.replace("`", "").lower()).replace(" ", "-")


def anchors(page: Path) -> set[str]:
    """The anchors of a page."""
    return {slug(heading) for heading in HEADING.findall(without_code(read(page)))}


def broken_links(page: Path, text: str) -> list[str]:
    """The relative links in the text of a page that lead nowhere."""
    found = []
    for target in LINK.findall(without_code(text)):
        if re.match(r"[a-z]+:", target):
            continue
        path, _, anchor = target.partition("#")
        file = (page.parent / path).resolve() if path else page
        there = file.exists() and ROOT in (file, *file.parents)
        if not there or (anchor and anchor not in anchors(file)):
            found.append(target)
    return found


@each_page
def test_every_relative_link_leads_somewhere(page: Path) -> None:
    broken = broken_links(page, read(page))
    assert not broken, f"{name_of(page)} has links that lead nowhere: {broken}"


def test_a_broken_link_is_found() -> None:
    page = REFERENCE / "threads.md"
    fine = "[a](messages.md) [b](messages.md#save_message) [c](#save_thread) [d](https://a.test/x)"
    assert broken_links(page, fine) == []
    broken = "[a](gone.md) [b](messages.md#gone) [c](#gone) [d](../../../outside.md)"
    assert broken_links(page, broken) == [
        "gone.md",
        "messages.md#gone",
        "#gone",
        "../../../outside.md",
    ]
    assert broken_links(page, "```text\n[a](gone.md)\n```\n") == []


def test_every_page_can_be_reached() -> None:
    reached: set[Path] = set()
    waiting = [ROOT / "README.md"]
    while waiting:
        page = waiting.pop()
        if page not in reached:
            reached.add(page)
            targets = (target.partition("#")[0] for target in LINK.findall(read(page)))
            files = (
                (page.parent / t).resolve() for t in targets if t.endswith(".md") and ":" not in t
            )
            waiting += [file for file in files if file.exists()]
    unreached = [name_of(page) for page in PAGES if page not in reached]
    assert not unreached, f"no link leads from the README to {unreached}"


def load_hygiene() -> ModuleType:
    loader = SourceFileLoader("hygiene_for_docs", str(ROOT / "scripts" / "hygiene"))
    spec = importlib.util.spec_from_loader(loader.name, loader)
    assert spec is not None
    module = importlib.util.module_from_spec(spec)
    loader.exec_module(module)
    return module


# In pieces, so that this file does not contain them.
FORBIDDEN = re.compile(r"\b(?:TO" r"DO|FIX" r"ME|X" r"XX|T" r"BD|WI" r"P)\b")
HYGIENE = load_hygiene()


@pytest.mark.parametrize("page", [*PAGES, *sorted(ROOT.glob("examples/*.py"))], ids=name_of)
def test_no_page_has_words_that_do_not_belong_there(page: Path) -> None:
    text = read(page)
    assert FORBIDDEN.findall(text) == []
    assert list(HYGIENE.text_problems(name_of(page), text)) == []


@each_page
def test_prose_is_wrapped(page: Path) -> None:
    long = [
        f"{name_of(page)}:{number}"
        for number, line in enumerate(without_code(read(page)).splitlines(), 1)
        if len(line) > WIDTH and not line.startswith("|")
    ]
    assert not long, f"lines of more than {WIDTH} characters: {long}"


def test_the_readme_respects_time() -> None:
    assert len(read(ROOT / "README.md").splitlines()) < 150


# Examples
