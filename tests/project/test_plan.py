import json
import os
import subprocess
from pathlib import Path
from typing import Any

import pytest

from mastra_convex.errors import InvalidArgumentError, ProjectError
from mastra_convex.project import manifest
from mastra_convex.project.auth import jwks_uri
from mastra_convex.project.plan import Plan, make_plan
from mastra_convex.tokens import Key

FILES = {
    "schema.ts": "export const tables = { threads: defineTable({}), jobs: defineTable({}) };\n",
    "threads.ts": 'import { query } from "./_generated/server.js";\n',
    "lib/access.ts": 'import { query } from "../_generated/server.js";\n',
}


@pytest.fixture
def source(tmp_path: Path) -> Path:
    """What this version of the package brings along."""
    return fill(tmp_path / "source", FILES)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """An empty project."""
    (tmp_path / "project").mkdir()
    return tmp_path / "project"


def fill(folder: Path, files: dict[str, str]) -> Path:
    for name, text in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text, encoding="utf-8")
    return folder


def init(folder: Path, source: Path, **options: Any) -> Plan:
    plan = make_plan(folder, source=source, **options)
    plan.carry_out()
    return plan


def fates(plan: Plan) -> dict[str, str]:
    return {change.path: change.fate for change in plan.changes}


def snapshot(folder: Path) -> dict[str, bytes]:
    """Every file below a folder."""
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def accepted(folder: Path) -> list[str]:
    """The kids in the manifest, which are those of auth.config.ts."""
    found = manifest.load(folder / "convex")
    assert found is not None
    assert jwks_uri(found.keys) in (folder / "convex/auth.config.ts").read_text(encoding="utf-8")
    return [key["kid"] for key in found.keys]


def test_a_plan_writes_nothing(folder: Path, source: Path) -> None:
    make_plan(folder, source=source)
    assert snapshot(folder) == {}


def test_an_empty_project_gets_everything(folder: Path, source: Path) -> None:
    plan = init(folder, source)
    files = snapshot(folder)
    assert sorted(files) == [
        *(".env.local", "convex/.mastra-convex.json", "convex/auth.config.ts"),
        *("convex/http.ts", "convex/lib/access.ts", "convex/schema.ts", "convex/threads.ts"),
    ]
    assert files["convex/threads.ts"].decode() == FILES["threads.ts"]
    assert Key.from_text(files[".env.local"].decode().partition("=")[2]).kid == plan.key.kid
    assert (folder / ".env.local").stat().st_mode & 0o777 == 0o600
    assert accepted(folder) == [plan.key.kid]
    secret = plan.key.to_text().encode()
    assert [name for name, content in files.items() if secret in content] == [".env.local"]
    assert (plan.auth_snippet, plan.schema_snippet, plan.taken) == (None, None, [])
    assert plan.http_snippet is None
    assert 'import { addOtlpRoutes } from "./otlp";' in files["convex/http.ts"].decode()


def test_a_second_run_changes_nothing(folder: Path, source: Path) -> None:
    init(folder, source)
    before = snapshot(folder)
    plan = init(folder, source)
    assert set(fates(plan).values()) == {"unchanged"}
    assert not plan.is_new_key
    assert snapshot(folder) == before


def test_a_newer_package_updates_what_nobody_changed(folder: Path, source: Path) -> None:
    init(folder, source)
    fill(source, {"threads.ts": "// newer\n", "messages.ts": "// new\n"})
    (source / "lib/access.ts").unlink()
    fill(folder / "convex", {"own.ts": "// mine\n"})
    plan = init(folder, source)
    assert fates(plan) == {
        "auth.config.ts": "unchanged",
        "http.ts": "unchanged",
        "schema.ts": "unchanged",
        "threads.ts": "updated",
        "messages.ts": "new",
        "lib/access.ts": "removed",
    }
    assert (folder / "convex/own.ts").exists()
    assert not (folder / "convex/lib/access.ts").exists()
    assert set(fates(init(folder, source)).values()) == {"unchanged"}


def test_what_a_user_changed_is_kept_until_both_have_changed_it(folder: Path, source: Path) -> None:
    init(folder, source)
    fill(folder / "convex", {"threads.ts": "// mine\n"})
    for _ in range(2):
        assert fates(init(folder, source))["threads.ts"] == "kept"
    fill(source, {"threads.ts": "// newer\n"})
    assert fates(make_plan(folder, source=source))["threads.ts"] == "in the way"
    assert fates(init(folder, source, force=True))["threads.ts"] == "overwritten"
    assert (folder / "convex/threads.ts").read_text(encoding="utf-8") == "// newer\n"
    assert fates(init(folder, source))["threads.ts"] == "unchanged"


def test_an_interrupted_run_is_finished_by_the_next(
    folder: Path, source: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A run is stopped before each of its writes; the next one ends where a whole one would."""
    real, allowed = os.replace, 0

    def stop(*paths: Any) -> None:
        nonlocal allowed
        if allowed == 0:
            raise KeyboardInterrupt
        allowed -= 1
        real(*paths)

    stops = 0
    while True:
        allowed = 1  # Each run comes one write further than the one before.
        monkeypatch.setattr(os, "replace", stop)
        try:
            init(folder, source)
            break
        except KeyboardInterrupt:
            stops += 1
        names = list(snapshot(folder))
        assert not [name for name in names if "mastra-convex" in name.rpartition("/")[2]]
    assert stops == len(FILES) + len(("auth.config.ts", "http.ts", "the manifest"))
    monkeypatch.undo()
    before = snapshot(folder)
    assert set(fates(init(folder, source)).values()) == {"unchanged"}
    assert snapshot(folder) == before
    assert len(accepted(folder)) == 1


# Keys


def test_a_new_key_leaves_the_old_one_valid_until_it_is_forgotten(
    folder: Path, source: Path
) -> None:
    first = init(folder, source).key.kid
    second = init(folder, source, new_key=True).key.kid
    assert accepted(folder) == [second, first]
    assert (folder / ".env.local").read_text(encoding="utf-8").count("MASTRA_CONVEX_KEY") == 1
    assert accepted(folder) == [second, first]
    assert fates(init(folder, source, forget_old_keys=True))["auth.config.ts"] == "updated"
    assert accepted(folder) == [second]


def test_a_colleague_gets_a_key_beside_the_first(folder: Path, source: Path) -> None:
    first = init(folder, source).key.kid
    (folder / ".env.local").unlink()
    plan = init(folder, source)
    assert plan.is_new_key
    assert accepted(folder) == [plan.key.kid, first]


def test_other_settings_stay_and_become_private(folder: Path, source: Path) -> None:
    settings = b"# deployment\r\nCONVEX_DEPLOYMENT=dev:happy-animal-123 # team\r\nA='1"
    (folder / ".env.local").write_bytes(settings)
    (folder / ".env.local").chmod(0o644)
    plan = init(folder, source)
    line = f"\r\nMASTRA_CONVEX_KEY={plan.key.to_text()}\r\n"
    assert (folder / ".env.local").read_bytes() == settings + line.encode()
    (folder / ".env.local").chmod(0o644)
    init(folder, source)
    assert (folder / ".env.local").stat().st_mode & 0o777 == 0o600


def test_a_damaged_key_is_not_replaced_unasked(folder: Path, source: Path) -> None:
    (folder / ".env.local").write_text("MASTRA_CONVEX_KEY=secret\n", encoding="utf-8")
    with pytest.raises(InvalidArgumentError, match=r"\.env\.local: .*--new-key") as caught:
        make_plan(folder, source=source)
    assert "secret" not in str(caught.value)
    init(folder, source, new_key=True)
    assert len(accepted(folder)) == 1


def test_the_key_is_kept_out_of_git(folder: Path, source: Path) -> None:
    subprocess.run(["git", "init", "--quiet", folder], check=True)
    init(folder, source)
    status = subprocess.run(
        ["git", "-C", folder, "status", "--porcelain", "--untracked-files=all"],
        capture_output=True,
        encoding="utf-8",
        check=True,
    )
    assert "?? .gitignore" in status.stdout
    assert "?? convex/.mastra-convex.json" in status.stdout
    assert ".env.local" not in status.stdout


# Beside what is there


@pytest.mark.parametrize(
    "name", ["threads.ts", "threads.js", "threads.tsx", "schema.ts", "lib/access.ts"]
)
def test_names_that_are_taken_lead_to_a_sub_folder(folder: Path, source: Path, name: str) -> None:
    fill(folder / "convex", {name: "// mine\n"})
    plan = init(folder, source)
    assert (plan.manifest.into, plan.taken) == ("mastra", [name])
    assert (folder / "convex" / name).read_text(encoding="utf-8") == "// mine\n"
    threads = (folder / "convex/mastra/threads.ts").read_text(encoding="utf-8")
    assert threads == 'import { query } from "../_generated/server.js";\n'
    # Later runs need not be told.
    before = snapshot(folder)
    assert set(fates(init(folder, source)).values()) == {"unchanged"}
    assert snapshot(folder) == before


def test_a_sub_folder_needs_a_schema_at_the_root(folder: Path, source: Path) -> None:
    plan = init(folder, source, into="agents/mastra")
    text = (folder / "convex/schema.ts").read_text(encoding="utf-8")
    assert 'import { tables } from "./agents/mastra/schema";' in text
    assert "defineSchema({\n  ...tables,\n})" in text
    assert plan.schema_snippet is None
    fill(folder / "convex", {"schema.ts": text.replace("...tables,", "...tables, mine,")})
    plan = init(folder, source, into="agents/mastra")
    assert "schema.ts" not in fates(plan)
    assert plan.schema_snippet is None


def test_a_schema_of_the_user_gets_a_snippet_until_it_has_our_tables(
    folder: Path, source: Path
) -> None:
    fill(folder / "convex", {"schema.ts": "export default defineSchema({});\n"})
    plan = init(folder, source)
    assert plan.schema_snippet is not None
    assert 'import { tables } from "./mastra/schema";' in plan.schema_snippet
    fill(folder / "convex", {"schema.ts": plan.schema_snippet})
    assert init(folder, source).schema_snippet is None


@pytest.mark.parametrize(("into", "module"), [(None, "./otlp"), ("mastra", "./mastra/otlp")])
def test_a_router_of_the_user_gets_a_snippet_until_it_has_our_routes(
    folder: Path, source: Path, into: str | None, module: str
) -> None:
    fill(folder / "convex", {"http.ts": "export default httpRouter();\n"})
    # It is no reason to move the functions: there is one router, and it is the user's.
    plan = init(folder, source, into=into)
    assert plan.taken == []
    assert plan.http_snippet is not None
    assert f'import {{ addOtlpRoutes }} from "{module}";' in plan.http_snippet
    assert (folder / "convex/http.ts").read_text() == "export default httpRouter();\n"
    fill(folder / "convex", {"http.ts": plan.http_snippet})
    assert init(folder, source).http_snippet is None


def test_functions_of_a_router_of_ours_are_not_copied(folder: Path, source: Path) -> None:
    fill(source, {"http.ts": "// of the repository\n"})
    init(folder, source, into="mastra")
    assert not (folder / "convex/mastra/http.ts").exists()
    assert "./mastra/otlp" in (folder / "convex/http.ts").read_text()


def test_a_table_of_the_user_with_a_name_of_ours_is_refused(folder: Path, source: Path) -> None:
    schema = "export default defineSchema({ jobs: defineTable({}), mine: defineTable({}) });\n"
    fill(folder / "convex", {"schema.ts": schema})
    with pytest.raises(ProjectError, match=r"names of ours \(jobs\), .* project of its own"):
        make_plan(folder, source=source)


@pytest.mark.parametrize("name", ["auth.config.ts", "auth.config.js"])
def test_an_auth_config_of_the_user_gets_a_snippet_until_it_has_our_keys(
    folder: Path, source: Path, name: str
) -> None:
    theirs = "export default { providers: [] };\n"
    fill(folder / "convex", {name: theirs})
    plan = init(folder, source, force=True)
    assert plan.auth_snippet is not None
    assert [path.name for path in (folder / "convex").glob("auth.config.*")] == [name]
    assert (folder / "convex" / name).read_text(encoding="utf-8") == theirs
    fill(folder / "convex", {name: theirs.replace("[]", f"[{plan.auth_snippet}]")})
    assert init(folder, source).auth_snippet is None
    assert init(folder, source, new_key=True).auth_snippet is not None


def test_an_auth_config_of_ours_that_was_changed_is_the_users(folder: Path, source: Path) -> None:
    init(folder, source)
    path = folder / "convex/auth.config.ts"
    path.write_text(path.read_text(encoding="utf-8") + "// mine\n", encoding="utf-8")
    plan = init(folder, source)
    assert "auth.config.ts" not in fates(plan)
    assert plan.auth_snippet is None
    assert init(folder, source, new_key=True).auth_snippet is not None
    assert path.read_text(encoding="utf-8").endswith("// mine\n")


def test_two_copies_are_refused(folder: Path, source: Path) -> None:
    init(folder, source)
    with pytest.raises(InvalidArgumentError, match="a second copy would fight with it"):
        make_plan(folder, source=source, into="mastra")


def test_functions_may_be_kept_elsewhere(folder: Path, source: Path) -> None:
    fill(folder, {"convex.json": json.dumps({"functions": "src/convex/"})})
    init(folder, source)
    assert (folder / "src/convex/threads.ts").exists()
    assert not (folder / "convex").exists()


# Folders that will not do


def test_a_folder_that_is_not_there_or_is_none(tmp_path: Path, source: Path) -> None:
    with pytest.raises(ProjectError, match=r"is not there; .*mkdir -p"):
        make_plan(tmp_path / "gone", source=source)
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(ProjectError, match="is not a folder"):
        make_plan(tmp_path / "file", source=source)


def test_a_file_in_the_place_of_convex(folder: Path, source: Path) -> None:
    (folder / "convex").write_bytes(b"")
    with pytest.raises(ProjectError, match="is a file where the folder of functions must be"):
        make_plan(folder, source=source)


@pytest.mark.parametrize("settings", ["{", "[]", '{"functions": 5}'])
def test_a_convex_json_that_cannot_be_read(folder: Path, source: Path, settings: str) -> None:
    fill(folder, {"convex.json": settings})
    with pytest.raises(ProjectError, match=r"convex\.json cannot be read"):
        make_plan(folder, source=source)


def test_links_are_not_written_through(folder: Path, source: Path, tmp_path: Path) -> None:
    (tmp_path / "secrets").write_bytes(b"A=1\n")
    (folder / ".env.local").symlink_to(tmp_path / "secrets")
    with pytest.raises(ProjectError, match="is a symbolic link"):
        make_plan(folder, source=source)
    assert (tmp_path / "secrets").read_bytes() == b"A=1\n"
