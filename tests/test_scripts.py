"""The scripts do what their docstrings say, and their checks fire."""

import importlib.machinery
import importlib.util
import os
import shutil
import subprocess
import sys
from collections import Counter
from pathlib import Path
from types import ModuleType

import click
import pytest

ROOT = Path(__file__).resolve().parent.parent


def load(name: str) -> ModuleType:
    """A script without suffix, as a module."""
    loader = importlib.machinery.SourceFileLoader(f"scripts_{name}", str(ROOT / "scripts" / name))
    spec = importlib.util.spec_from_loader(loader.name, loader)
    assert spec is not None
    module = importlib.util.module_from_spec(spec)
    loader.exec_module(module)
    return module


Completed = subprocess.CompletedProcess[str]


def run(*command: str | Path, **environment: str) -> Completed:
    """A command's outcome, with `environment` on top of the ordinary one."""
    return subprocess.run(
        [str(word) for word in command],
        env=os.environ | environment,
        capture_output=True,
        encoding="utf-8",
        check=False,
    )


def test_the_readme_names_every_script() -> None:
    page = (ROOT / "scripts" / "README.md").read_text(encoding="utf-8")
    scripts = {path.name for path in (ROOT / "scripts").iterdir() if path.is_file()}
    scripts.discard("README.md")
    assert {name for name in scripts if f"| `{name}` |" not in page} == set()
    assert {name for name in scripts if not os.access(ROOT / "scripts" / name, os.X_OK)} == set()


# install


def fake_python(path: Path, says: str) -> None:
    """An interpreter too old for us: it answers the probe with `says` and fails."""
    path.write_text(f"#!/bin/sh\necho '{says}'\nexit 1\n", encoding="utf-8")
    path.chmod(0o755)


def test_install_names_the_python_it_was_given_and_what_is_wrong_with_it(tmp_path: Path) -> None:
    fake_python(tmp_path / "python", "Python 3.9.2")
    done = run(
        ROOT / "scripts/install", PYTHON=str(tmp_path / "python"), VENV=str(tmp_path / "venv")
    )
    assert done.returncode == 1
    assert "needs Python 3.10 or newer" in done.stderr
    assert f"{tmp_path / 'python'}: Python 3.9.2" in done.stderr
    assert not (tmp_path / "venv").exists()


def test_install_says_what_it_tried_when_no_python_is_new_enough(tmp_path: Path) -> None:
    for tool in ("bash", "dirname", "cat", "cksum"):
        (tmp_path / tool).symlink_to(str(shutil.which(tool)))
    fake_python(tmp_path / "python3", "Python 3.8.0")
    done = run(
        str(shutil.which("bash")),
        ROOT / "scripts/install",
        PATH=str(tmp_path),
        PYTHON="",
        VENV=str(tmp_path / "venv"),
    )
    assert done.returncode == 1
    assert "  python3: Python 3.8.0\n" in done.stderr
    assert "  python3.10: not found\n" in done.stderr
    assert "PYTHON=" in done.stderr


def test_install_refuses_an_unknown_option() -> None:
    done = run(ROOT / "scripts/install", "--everything")
    assert (done.returncode, done.stderr) == (2, "usage: scripts/install [--runtime]\n")


@pytest.fixture
def installed(tmp_path: Path) -> Path:
    """A checkout whose environment is up to date, as far as install can tell."""
    checkout = tmp_path / "checkout"
    names = ("pyproject.toml", "scripts/install", "src/mastra_convex/_version.py")
    for name in (*names, "package-lock.json", ".npmrc"):
        (checkout / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / name, checkout / name)

    def stamp(command: str, path: str) -> None:
        (checkout / path).parent.mkdir(parents=True, exist_ok=True)
        said = subprocess.check_output(command, shell=True, cwd=checkout, encoding="utf-8")
        (checkout / path).write_text(f"{said}\n", encoding="utf-8")

    stamp(f'echo "$PWD $(cat {" ".join(names)} | cksum)"', ".venv/.dev")
    stamp('echo -n "$(cat package-lock.json .npmrc | cksum)"', "node_modules/.installed")
    (checkout / ".venv/bin").mkdir()
    (checkout / ".venv/bin/python").symlink_to(sys.executable)
    return checkout


def install(
    checkout: Path, *options: str, tools: Path | None = None, only: bool = False
) -> Completed:
    """Run a checkout's install, with tools before those of the machine, or with no others."""
    path = os.environ["PATH"] if tools is None else str(tools)
    if tools is not None and not only:
        path += f":{os.environ['PATH']}"
    bash = str(shutil.which("bash"))
    return run(
        bash, checkout / "scripts/install", *options, VENV="", PYTHON="", CHROMIUM="", PATH=path
    )


def test_install_says_which_node_it_needs(installed: Path, tmp_path: Path) -> None:
    """With a changed lock file, and an old Node.js."""
    (installed / "package-lock.json").write_text("{}", encoding="utf-8")
    tools = tmp_path / "tools"
    tools.mkdir()
    fake_python(tools / "node", "v18.0.0")
    done = install(installed, tools=tools)
    assert done.returncode == 1
    assert "need Node.js 20.19 or newer" in done.stderr
    assert "Found: v18.0.0" in done.stderr
    assert install(installed, "--runtime").returncode == 0


def test_install_finds_a_browser_or_says_how(installed: Path, tmp_path: Path) -> None:
    tools = tmp_path / "tools"
    tools.mkdir()
    for tool in ("dirname", "cat", "cksum", "id"):
        (tools / tool).symlink_to(str(shutil.which(tool)))
    done = install(installed, tools=tools, only=True)
    assert done.returncode == 1
    assert "need Chromium or Chrome" in done.stderr
    assert "CHROMIUM=" in done.stderr
    fake_python(tools / "google-chrome", "any")
    assert install(installed, tools=tools, only=True).returncode == 0


# unasync

UNASYNC = load("unasync")


@pytest.mark.parametrize(
    ("written", "generated"),
    [
        ("async def get(self) -> None:", "def get(self) -> None:"),
        ("    x = await self._call(1)", "    x = self._call(1)"),
        ("return [await f(x) for x in y]", "return [f(x) for x in y]"),
        ("[x async for x in y]", "[x for x in y]"),
        ("async with lock:", "with lock:"),
        ("async def __aenter__(self) -> AsyncStorage:", "def __enter__(self) -> Storage:"),
        ("async def __anext__(self):", "def __next__(self):"),
        ("raise StopAsyncIteration", "raise StopIteration"),
        ("await self.backend.aclose()", "self.backend.close()"),
        ("async_spawn(open_async_backend(x))", "spawn(open_backend(x))"),
        ('"""The `async` face."""', '"""The blocking face."""'),
        ("from mastra_convex._async import x", "from mastra_convex._sync import x"),
        ("def f(b: AsyncBackend) -> AsyncIterator[int]:", "def f(b: Backend) -> Iterator[int]:"),
        ('"""`await storage.get_run("a")`"""', '"""`storage.get_run("a")`"""'),
        ("# an async face; await-able", "# an async face; await-able"),
        ("is_async = awaited", "is_async = awaited"),
        ("import asyncio  # async-only", ""),
        ("x = 1  # async-only: the loop's", ""),
        ("    x = asyncio.Lock()  # sync: x = threading.Lock()", "    x = threading.Lock()"),
        ("    # sync: extra = 1", "    extra = 1"),
        ("a = 1\n# async-only: begin\nb = 2\nc = 3\n# async-only: end\nd = 4", "a = 1\nd = 4"),
    ],
)
def test_unasync_rewrites(written: str, generated: str) -> None:
    assert UNASYNC.unasync(written).rstrip("\n") == generated


@pytest.mark.parametrize("text", ["# async-only: begin\nx = 1", "x = 1\n# async-only: end"])
def test_unasync_refuses_half_a_block(text: str) -> None:
    with pytest.raises(ValueError, match=r"async-only: (begin|end)"):
        UNASYNC.unasync(text)


def test_unasync_counts_what_each_rule_changed() -> None:
    used: Counter[str] = Counter()
    UNASYNC.unasync("async def f() -> AsyncIterator[int]: ...", used)
    assert sorted(rule for rule, count in used.items() if count) == [
        r"\bAsync(?=[A-Z])",
        r"\basync (def|for|with)\b",
    ]


SAMPLE = """\
import asyncio
from collections.abc import AsyncIterator

from sample._async.base import AsyncBackend


class Numbers:
    def __aiter__(self) -> AsyncIterator[int]:
        return self


async def first(backend: AsyncBackend) -> int:
    await asyncio.sleep(0)  # async-only
    async with backend as entered:
        return await entered.first(
            1, "so long that the formatter has to break the call without the await")
"""


@pytest.fixture
def pair(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[Path, Path]:
    """A folder to generate from, whose rules are those that SAMPLE uses, and one to generate to."""
    source, target = tmp_path / "_async", tmp_path / "_sync"
    source.mkdir()
    (source / "sample.py").write_text(SAMPLE, encoding="utf-8")
    used: Counter[str] = Counter()
    UNASYNC.unasync(SAMPLE, used)
    rules = [(pattern, by) for pattern, by in UNASYNC.SUBSTITUTIONS if used[pattern]]
    monkeypatch.setattr(UNASYNC, "SUBSTITUTIONS", rules)
    return source, target


def test_unasync_writes_formatted_files_that_pass_its_check(pair: tuple[Path, Path]) -> None:
    source, target = pair
    assert UNASYNC.problems(source, target, check=False) == []
    assert (target / "sample.py").read_text(encoding="utf-8").splitlines()[:4] == [
        "# Generated by scripts/unasync from _async/sample.py; do not edit.",
        "from collections.abc import Iterator",
        "",
        "from sample._sync.base import Backend",
    ]
    assert UNASYNC.problems(source, target, check=True) == []
    done = run(sys.executable, "-m", "ruff", "format", "--check", target)
    assert done.returncode == 0, done.stdout


def test_unasync_check_fires_on_a_changed_last_line(pair: tuple[Path, Path]) -> None:
    source, target = pair
    UNASYNC.problems(source, target, check=False)
    with (target / "sample.py").open("a", encoding="utf-8") as file:
        file.write("# by hand\n")
    assert UNASYNC.problems(source, target, check=True) == [
        f"{target / 'sample.py'} is not what scripts/unasync writes: run it"
    ]


def test_unasync_check_fires_on_a_missing_and_on_a_stray_file(pair: tuple[Path, Path]) -> None:
    source, target = pair
    target.mkdir()
    (target / "stray.py").write_text("", encoding="utf-8")
    assert UNASYNC.problems(source, target, check=True) == [
        f"{target / 'sample.py'} is not what scripts/unasync writes: run it",
        f"{target / 'stray.py'} has no source in {source}",
    ]


def test_unasync_removes_only_what_it_generated(pair: tuple[Path, Path]) -> None:
    source, target = pair
    (source / "gone.py").write_text("", encoding="utf-8")
    UNASYNC.problems(source, target, check=False)
    (source / "gone.py").unlink()
    (target / "stray.py").write_text("", encoding="utf-8")
    assert UNASYNC.problems(source, target, check=False) == [
        f"{target / 'stray.py'} has no source in {source}"
    ]
    assert sorted(path.name for path in target.iterdir()) == ["sample.py", "stray.py"]


def test_unasync_fires_on_a_substitution_that_changes_nothing(
    pair: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    source, target = pair
    monkeypatch.setattr(UNASYNC, "SUBSTITUTIONS", [*UNASYNC.SUBSTITUTIONS, (r"\bnever\b", "")])
    for check in (True, False):
        assert UNASYNC.problems(source, target, check=check)[0].startswith(
            r"substitution `\bnever\b` changes nothing"
        )


def test_unasync_has_nothing_to_say_about_an_empty_tree(tmp_path: Path) -> None:
    assert UNASYNC.problems(tmp_path / "_async", tmp_path / "_sync", check=True) == []


def test_unasync_fails_from_the_command_line(tmp_path: Path) -> None:
    (tmp_path / "_async").mkdir()
    (tmp_path / "_async" / "bad.py").write_text("# async-only: begin\n", encoding="utf-8")
    done = run(
        sys.executable, ROOT / "scripts/unasync", "--check", tmp_path / "_async", tmp_path / "_sync"
    )
    assert done.returncode == 1
    assert "bad.py: `# async-only: begin` without its end" in done.stderr


# docs

DOCS = load("docs")


@click.group()
def sample() -> None:
    """Sample commands."""


@sample.command()
@click.option("--limit", default=5, show_default=True, help="How many.")
def show(limit: int) -> None:
    """Show some."""


@sample.command(hidden=True)
def secret() -> None:
    """Not to be documented."""


def test_docs_has_a_heading_for_each_command_that_shows() -> None:
    page = DOCS.render(sample, "sample")
    headings = [line for line in page.splitlines() if line.startswith("## ")]
    assert headings == ["## sample", "## sample show"]
    assert "--limit INTEGER  How many.  [default: 5]" in page


def test_docs_is_not_fresh_when_a_line_differs(tmp_path: Path) -> None:
    page = tmp_path / "cli.md"
    text = DOCS.render(sample, "sample")
    assert not DOCS.fresh(page, text)
    page.write_text(text, encoding="utf-8")
    assert DOCS.fresh(page, text)
    page.write_text(text + "\n", encoding="utf-8")
    assert not DOCS.fresh(page, text)


# hygiene

HYGIENE = load("hygiene")
SLASH = "/"  # so that this file does not contain what it says must be found


@pytest.mark.parametrize(
    ("path", "line", "what"),
    [
        ("a.py", f"open('{SLASH}root/notes')", "a path of one machine"),
        ("a.md", f"see {SLASH}home/jane/code", "a path of one machine"),
        ("a.md", f"see {SLASH}Users/jane", "a path of one machine"),
        ("a.toml", "pypi" + ".org/simple", "a host of a package registry"),
        (".npmrc", "registry" + "=https:" + "//r.test", "a host of a package registry"),
        (
            "a.sh",
            "pip install --index-url" + " http:" + "//r.test x",
            "a host of a package registry",
        ),
        ("package-lock.json", '"resolved": "https:' + '//r.test/x.tgz"', "download address"),
        ("uv.lock", 'url = "https:' + '//r.test/x.whl"', "download address"),
    ],
)
def test_hygiene_finds(path: str, line: str, what: str) -> None:
    found = list(HYGIENE.text_problems(path, f"first\n{line}\n"))
    assert any(problem.startswith(f"{path}:2: ") and what in problem for problem in found)


def test_hygiene_finds_where_the_checkout_is(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(HYGIENE, "ROOT", Path("/place/of/checkout"))
    found = list(HYGIENE.text_problems("a.md", "docs/place/of/x\nsee `/place/of/notes.md`\n"))
    assert found == ["a.md:2: where this checkout is: /place/of/"]
    monkeypatch.setattr(HYGIENE, "ROOT", Path("/checkout"))
    assert list(HYGIENE.text_problems("a.md", "/ and /etc/hosts")) == []


@pytest.mark.parametrize(
    ("path", "line"),
    [
        ("a.py", f"~/home/jane is no machine's, docs/{'root'}/main neither"),
        ("a.md", "the root / and /rooted and /homes/jane and /workspace/x"),
        ("a.md", 'url = "https://example.com/x"'),
        ("package-lock.json", '"integrity": "sha512-abc", "version": "1.0.0"'),
        ("package-lock.json", '"funding": {"url": "https:' + '//example.com/x"}'),
        ("a.toml", 'registry = "none"'),
    ],
)
def test_hygiene_passes(path: str, line: str) -> None:
    assert list(HYGIENE.text_problems(path, line)) == []


@pytest.mark.parametrize(
    ("changelog", "version", "problem"),
    [
        ("# Changelog\n\n## 0.2.0 (unreleased)\n\n## 0.1.0\n", '__version__ = "0.2.0"\n', None),
        (
            "## 0.1.0\n",
            '__version__ = "0.2.0"\n',
            "the newest entry is 0.1.0, the package is 0.2.0",
        ),
        ("nothing\n", '__version__ = "0.2.0"\n', "the newest entry is nothing"),
        ("## 0.1.0\n", "", "no line that says __version__"),
    ],
)
def test_hygiene_compares_changelog_and_version(
    changelog: str, version: str, problem: str | None
) -> None:
    found = list(HYGIENE.version_problems(changelog, version))
    assert len(found) == (problem is not None)
    assert not found or str(problem) in found[0]


def test_hygiene_looks_at_new_files_and_not_at_ignored_ones(tmp_path: Path) -> None:
    subprocess.run(["git", "init", "--quiet", tmp_path], check=True)
    for name, text in {
        ".gitignore": "ignored.md\n",
        "new.md": f"{SLASH}root/x\n",
        "ignored.md": f"{SLASH}root/x\n",
        "CHANGELOG.md": "## 0.1.0\n",
        "src/mastra_convex/_version.py": '__version__ = "0.1.0"\n',
    }.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text, encoding="utf-8")
    (tmp_path / "picture.png").write_bytes(f"\0{SLASH}root/x".encode())
    assert list(HYGIENE.problems(tmp_path)) == [f"new.md:1: a path of one machine: {SLASH}root"]


# release


def test_release_builds_what_an_empty_environment_can_use(tmp_path: Path) -> None:
    done = run(ROOT / "scripts/release", tmp_path / "dist", VENV=sys.prefix)
    assert done.returncode == 0, done.stdout + done.stderr
    assert f"mastra-convex, version {version()}" in done.stdout
    assert "saved and read back: Release" in done.stdout
    assert "error [MISSING_EXTRA]: making a signing key needs the package" in done.stdout
    assert "new          project/convex/threads.ts" in done.stdout
    assert "project/convex/threads.test.ts" not in done.stdout
    built = sorted(path.name for path in (tmp_path / "dist").iterdir())
    assert built == [
        f"mastra_convex-{version()}-py3-none-any.whl",
        f"mastra_convex-{version()}.tar.gz",
    ]


def version() -> str:
    from mastra_convex._version import __version__

    return __version__
