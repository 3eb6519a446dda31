"""Every source file has its test, every entity its files; what is missing is printed, all of it."""

import re
from collections.abc import Iterable
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PACKAGE = "src/mastra_convex"

ENTITIES = (
    *("threads", "messages", "resources", "traces", "spans", "evals", "workflow_runs"),
    *("logs", "metrics", "score_events", "feedback", "discovery"),
    *("observational_memory", "scores", "schedules", "background_tasks", "channels"),
    "system",
)
# They are read in the same way: by reads/signals.py and reads/analytics.py.
SIGNALS = ("logs", "metrics", "score_events", "feedback")
ENTITY_FILES = (
    f"{PACKAGE}/functions/{{entity}}.py",
    f"{PACKAGE}/_async/{{entity}}.py",
    "tests/contract/test_{entity}.py",
    "docs/reference/{entity}.md",
    "scenarios/{entity}.json",
)

# Generated, or nothing in them to test.
WITHOUT_TEST = re.compile(r"_sync/|(?:^|/)__init__\.py$|^_version\.py$")

# Tested under another name, and why. The key is below src/mastra_convex, the value from the root.
TESTED_ELSEWHERE = {
    # What an entity does is seen through the public API, on each backend.
    **{f"_async/{entity}.py": f"tests/contract/test_{entity}.py" for entity in ENTITIES},
    **{
        f"reads/{entity}.py": f"tests/contract/test_{entity}.py"
        for entity in ENTITIES
        if entity not in SIGNALS
    },
    "_async/arrivals.py": "tests/contract/test_arrivals.py",
    "_async/copies.py": "tests/contract/test_copies.py",
    "_async/subscription.py": "tests/contract/test_subscriptions.py",
    # What is wrong with a call names its operation: the part that all of them share.
    "_async/base.py": "tests/contract/test_errors.py",
    "_async/storage.py": "tests/contract/test_sharing.py",
    "_async/message_lists.py": "tests/contract/test_message_lists.py",
    "reads/message_lists.py": "tests/contract/test_message_lists.py",
    "_async/trace_lists.py": "tests/contract/test_trace_lists.py",
    "reads/trace_lists.py": "tests/contract/test_trace_lists.py",
    "reads/span_filters.py": "tests/contract/test_trace_lists.py",
    # What its arguments become is seen in what they do.
    "memory_updates.py": "tests/contract/test_observational_memory.py",
    "_pauses.py": "tests/contract/test_concurrent_changes.py",
    # Shared by functions of one entity, whose scenarios say all of what it does.
    "functions/lib/beside.py": "scenarios/messages.json",
    "functions/lib/touched.py": "scenarios/messages.json",
    "functions/lib/ownership.py": "scenarios/threads.json",
    "functions/lib/observations.py": "scenarios/observational_memory.json",
    "functions/lib/trace_lists.py": "scenarios/trace_lists.json",
    # Checked with what else a trace keeps of its spans.
    "functions/lib/listed.py": "tests/functions/lib/test_spans.py",
    # Shared by logs, metrics, scores and feedback; their scenarios are alike.
    "functions/lib/signals.py": "scenarios/logs.json",
    "functions/validators_signals.py": "scenarios/logs.json",
    "functions/lib/facets.py": "scenarios/discovery.json",
    # Calls and expected replies are data, which other languages' functions can be held against.
    **{f"functions/{entity}.py": f"scenarios/{entity}.json" for entity in ENTITIES},
    # What is sent and when again is seen by a server; each part is a step of that.
    "backends/attempts.py": "tests/backends/test_calls.py",
    # Requests of the adapter and their answers are data too, recorded as it makes them.
    **{
        f"functions/mastra/{name}.py": "scenarios/mastra.json"
        for name in ("storage", "tables", "memory", "jobs", "requests", "cache")
    },
    "functions/lib/cache.py": "scenarios/mastra.json",
    # What they are is seen in what they make of spans, whose cases are data too.
    "otlp/conventions.py": "scenarios/otlp/mapping.json",
    "otlp/meaning.py": "scenarios/otlp/mapping.json",
    "otlp/origins.py": "tests/otlp/test_protobuf.py",
    "otlp/span.py": "scenarios/otlp/mapping.json",
    "otlp/told.py": "tests/otlp/test_mapping.py",
    "integrations/span_writer.py": "tests/integrations/test_opentelemetry.py",
    # A number, which `system:version` tells.
    "values/version.py": "scenarios/system.json",
}


def without_test(files: Iterable[str]) -> list[str]:
    """What is wrong with the mirror of src/ in tests/, given the repository's files."""
    files = set(files)
    sources = {file.removeprefix(f"{PACKAGE}/") for file in files if file.startswith(PACKAGE)}
    found = []
    for source in sorted(sources):
        if not source.endswith(".py") or WITHOUT_TEST.search(source):
            continue
        folder, _, name = source.rpartition("/")
        plain = name.lstrip("_").replace("_.py", ".py")
        mirror = "/".join(filter(None, ("tests", folder, f"test_{plain}")))
        expected = TESTED_ELSEWHERE.get(source, mirror)
        if expected not in files:
            found.append(f"{expected}, the test of {PACKAGE}/{source}")
    return found


def without_source(files: Iterable[str]) -> list[str]:
    """The rows of TESTED_ELSEWHERE whose source file is gone."""
    return sorted(f"{PACKAGE}/{s}" for s in TESTED_ELSEWHERE if f"{PACKAGE}/{s}" not in set(files))


def missing_of_entities(files: Iterable[str]) -> list[str]:
    """The files that an entity should have and has not."""
    expected = [file.format(entity=entity) for entity in ENTITIES for file in ENTITY_FILES]
    return sorted(set(expected) - set(files))


def present() -> set[str]:
    """The repository's files, as paths from its root."""
    folders = ("src", "tests", "docs", "scenarios")
    return {
        path.relative_to(ROOT).as_posix()
        for folder in folders
        for path in (ROOT / folder).rglob("*")
        if path.is_file()
    }


def test_every_source_file_has_its_test() -> None:
    missing = without_test(present())
    assert not missing, "missing:\n" + "\n".join(missing)


def test_every_entity_has_its_files() -> None:
    missing = missing_of_entities(present())
    assert not missing, "missing:\n" + "\n".join(missing)


def test_the_table_names_only_what_is_there() -> None:
    gone = without_source(present())
    assert not gone, "in TESTED_ELSEWHERE, but gone:\n" + "\n".join(gone)


def test_every_folder_of_the_package_is_in_the_layout_page() -> None:
    page = (ROOT / "docs/internals/layout.md").read_text(encoding="utf-8")
    folders = {
        file.removeprefix(f"{PACKAGE}/").split("/")[0] + "/"
        for file in present()
        if file.startswith(PACKAGE) and file.endswith(".py") and file.count("/") > 2
    }
    missing = sorted(folder for folder in folders if folder not in page)
    assert not missing, f"docs/internals/layout.md does not name: {', '.join(missing)}"


def test_a_source_file_without_test_is_found() -> None:
    files = [
        f"{PACKAGE}/__init__.py",
        f"{PACKAGE}/_version.py",
        f"{PACKAGE}/_sync/threads.py",
        f"{PACKAGE}/py.typed",
        f"{PACKAGE}/errors.py",
        f"{PACKAGE}/engine/store.py",
        f"{PACKAGE}/_async/threads.py",
        f"{PACKAGE}/functions/threads.py",
    ]
    tests = ["tests/test_errors.py", "tests/engine/test_store.py"]
    elsewhere = ["tests/contract/test_threads.py", "scenarios/threads.json"]
    assert without_test([*files, *tests, *elsewhere]) == []
    assert without_test(files) == [
        f"tests/contract/test_threads.py, the test of {PACKAGE}/_async/threads.py",
        f"tests/engine/test_store.py, the test of {PACKAGE}/engine/store.py",
        f"tests/test_errors.py, the test of {PACKAGE}/errors.py",
        f"scenarios/threads.json, the test of {PACKAGE}/functions/threads.py",
    ]


def test_a_file_missing_of_an_entity_is_found() -> None:
    files = [file.format(entity=entity) for entity in ENTITIES for file in ENTITY_FILES]
    assert missing_of_entities(files) == []
    files.remove("docs/reference/evals.md")
    files.remove("scenarios/system.json")
    assert missing_of_entities(files) == ["docs/reference/evals.md", "scenarios/system.json"]


def test_a_row_without_its_source_is_found() -> None:
    files = {f"{PACKAGE}/{source}" for source in TESTED_ELSEWHERE}
    assert without_source(files) == []
    gone = f"{PACKAGE}/_async/evals.py"
    assert without_source(files - {gone}) == [gone]
