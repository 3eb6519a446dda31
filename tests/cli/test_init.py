import os
import re
import stat
import subprocess
from pathlib import Path

import pytest
from click.testing import CliRunner

from mastra_convex.cli.main import main
from mastra_convex.project.source import functions
from mastra_convex.tokens import Key
from tests.cli.processes import run


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty project, and we are in it."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


def init(*arguments: object) -> tuple[int, str, str]:
    """Exit code, output and error; neither ever shows a private key."""
    result = CliRunner().invoke(main, ["init", *map(str, arguments)])
    assert result.exception is None or isinstance(result.exception, SystemExit)
    assert "mastra-convex-key-" not in result.output
    return result.exit_code, result.stdout, result.stderr


def key(folder: Path) -> Key:
    return Key.from_text((folder / ".env.local").read_text(encoding="utf-8").partition("=")[2])


def test_an_empty_folder_becomes_a_project(folder: Path) -> None:
    subprocess.run(["git", "init", "--quiet", folder], check=True)
    done = run("init", cwd=folder)
    assert (done.returncode, done.stderr) == (0, "")
    names = sorted(functions())
    for name in names:
        assert f"new          convex/{name}\n" in done.stdout
        assert (folder / "convex" / name).read_bytes() == functions()[name]
    assert f"new key      {key(folder).kid} in .env.local\n" in done.stdout
    assert "ignored      .env.local, in .gitignore\n" in done.stdout
    assert "mastra-convex-key-" not in done.stdout
    assert stat.S_IMODE((folder / ".env.local").stat().st_mode) == 0o600
    steps = done.stdout.partition("Next:\n\n")[2]
    assert steps == (
        "    npm install convex\n    npx convex dev --once\n    mastra-convex doctor\n"
    )


def test_a_second_run_says_that_nothing_changed(folder: Path) -> None:
    init()
    before = key(folder).kid
    code, out, _ = init()
    assert code == 0
    count = len(functions()) + len(("auth.config.ts", "http.ts"))
    assert out.startswith(f"unchanged    {count} files\nkey          {before} in .env.local\n")


def test_the_commands_fit_the_project(folder: Path) -> None:
    project = folder / "my app"
    project.mkdir()
    (project / "package.json").write_text('{"devDependencies": {"convex": "1"}}', encoding="utf-8")
    code, out, _ = init(project, "--into", "agents")
    assert code == 0
    assert out.partition("Next:\n\n")[2] == (
        f"    cd '{project}'\n    npx convex dev --once\n    mastra-convex doctor --prefix agents\n"
    )


@pytest.mark.parametrize("option", ["--dry-run", "--diff"])
def test_a_dry_run_writes_nothing(folder: Path, option: str) -> None:
    code, out, _ = init(option)
    assert code == 0
    assert "new          convex/threads.ts\n" in out
    assert out.endswith("\nNothing was written.\n")
    assert ("    +++ threads.ts (mastra-convex)\n" in out) == (option == "--diff")
    assert os.listdir(folder) == []


def test_a_change_of_the_user_is_shown_and_kept(folder: Path) -> None:
    init()
    path = folder / "convex/threads.ts"
    text = path.read_text(encoding="utf-8")
    path.write_text(text + "// mine \x1b[2J\n", encoding="utf-8")
    code, out, _ = init()
    assert code == 0
    assert "kept         convex/threads.ts\n" in out
    assert "    -// mine \\x1b[2J\n" in out
    code, out, _ = init("--force")
    assert (code, "overwritten  convex/threads.ts\n" in out) == (0, True)
    assert path.read_text(encoding="utf-8") == text


def test_what_is_in_the_way_stops_all(folder: Path) -> None:
    mine = folder / "convex/mastra/threads.ts"
    mine.parent.mkdir(parents=True)
    mine.write_text("// mine\n", encoding="utf-8")
    code, out, err = init("--into", "mastra")
    assert code == 1
    assert "in the way   convex/mastra/threads.ts\n" in out
    assert "    -// mine\n" in out
    assert re.match(
        r"error \[PROJECT\]: 1 file in the way, and nothing was written: .*--force", err
    )
    assert [path.name for path in folder.rglob("*") if path.is_file()] == ["threads.ts"]


def test_taken_names_and_what_is_left_to_do_are_told(folder: Path) -> None:
    (folder / "convex").mkdir()
    for name in ("schema.ts", "auth.config.ts", "http.ts"):
        (folder / "convex" / name).write_text("export default {};\n", encoding="utf-8")
    code, out, _ = init()
    assert code == 0
    assert out.startswith("schema.ts: there already in convex, and not from here. The functions go")
    assert "and their paths begin with mastra/\n" in out
    assert "Add to `providers` in convex/auth.config.ts, which is yours:\n\n    {\n" in out
    assert "Add our tables to convex/schema.ts, which is yours:\n" in out
    assert 'import { tables } from "./mastra/schema";' in out
    assert "To take traces over OTLP, add to convex/http.ts, which is yours:\n" in out
    assert 'import { addOtlpRoutes } from "./mastra/otlp";' in out
    assert out.endswith("mastra-convex doctor --prefix mastra\n")


def test_a_new_key_says_what_becomes_of_the_old(folder: Path) -> None:
    init()
    code, out, _ = init("--new-key")
    assert code == 0
    name = key(folder).kid
    assert f"new key      {name} in .env.local; 1 older key still accepted\n" in out
    code, out, _ = init("--forget-old-keys")
    assert f"key          {name} in .env.local\n" in out


@pytest.mark.parametrize("where", ["gone", "file"])
def test_a_folder_that_will_not_do(folder: Path, where: str) -> None:
    (folder / "file").write_bytes(b"")
    code, out, err = init(where)
    assert (code, out) == (1, "")
    assert err.startswith(f"error [PROJECT]: {where} is not ")
    assert "mkdir -p" in err


def unwritable(folder: Path) -> Path:
    """A folder that nobody may write into, root included."""
    if os.geteuid() == 0:
        return Path("/sys/kernel")
    folder.chmod(0o500)
    return folder


@pytest.mark.skipif(
    os.geteuid() == 0 and not os.path.isdir("/sys/kernel"),
    reason="root may write everywhere, and this platform has no /sys",
)
def test_a_folder_that_cannot_be_written(tmp_path: Path) -> None:
    place = unwritable(tmp_path)
    code, _, err = init(place)
    assert code == 1
    assert re.match(rf"error \[PROJECT\]: cannot write {place}/\.env\.local: .*; mend that", err)
