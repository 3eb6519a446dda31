"""What init writes, deployed: bundled, run by Convex's test harness, and asked by doctor.

The functions, the schema, the provider and the tokens meet here, in a program of another language.
"""

import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from mastra_convex.tokens import Key
from tests.cli.processes import environment, run

ROOT = Path(__file__).resolve().parent.parent.parent
SERVER = Path(__file__).with_name("deployment.mjs")

pytestmark = pytest.mark.skipif(
    shutil.which("node") is None or not (ROOT / "node_modules/convex-test").exists(),
    reason="needs Node.js and what `npm install` brings: convex, convex-test, esbuild",
)


@contextmanager
def deployed(folder: Path) -> Iterator[str]:
    """The address at which the functions of a project answer."""
    with subprocess.Popen(
        ["node", SERVER, folder], stdout=subprocess.PIPE, encoding="utf-8"
    ) as server:
        try:
            assert server.stdout is not None
            port = server.stdout.readline().strip()
            assert port, "the server did not start"
            yield f"http://127.0.0.1:{port}"
        finally:
            server.terminate()


def init(folder: Path, *arguments: str) -> None:
    done = run("init", *arguments, cwd=folder)
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize("into", [None, "mastra", "agents/store"])
def test_what_init_writes_works(tmp_path: Path, into: str | None) -> None:
    init(tmp_path, *(["--into", into] if into else []))
    prefix = ["--prefix", into] if into else []
    with deployed(tmp_path) as url:
        done = run("doctor", url, *prefix, cwd=tmp_path)
        assert (done.returncode, done.stderr) == (0, "")
        assert done.stdout.count("\n") == 4
        # Without the folder, or in another one, the functions are not there.
        done = run("doctor", url, "--prefix", "elsewhere", cwd=tmp_path)
        assert "error [FUNCTION_NOT_FOUND]" in done.stderr


def test_beside_functions_of_the_user(tmp_path: Path) -> None:
    convex = tmp_path / "convex"
    convex.mkdir()
    (convex / "threads.ts").write_text("export const mine = 1;\n", encoding="utf-8")
    init(tmp_path)
    assert (convex / "threads.ts").read_text(encoding="utf-8") == "export const mine = 1;\n"
    with deployed(tmp_path) as url:
        done = run("doctor", url, cwd=tmp_path)
        assert "mastra/system:version does; use --prefix mastra" in done.stderr
        assert run("doctor", url, "--prefix", "mastra", cwd=tmp_path).returncode == 0


def test_keys_that_were_replaced(tmp_path: Path) -> None:
    init(tmp_path)
    first = (tmp_path / ".env.local").read_bytes()
    init(tmp_path, "--new-key")
    with deployed(tmp_path) as url:
        assert run("doctor", url, cwd=tmp_path).returncode == 0
        (tmp_path / "first.env").write_bytes(first)
        assert run("doctor", url, "--env-file", "first.env", cwd=tmp_path).returncode == 0
        stranger = environment(MASTRA_CONVEX_KEY=Key.generate().to_text())
        done = run("doctor", url, cwd=tmp_path, env=stranger)
        assert "it does not know the key" in done.stderr
    init(tmp_path, "--forget-old-keys")
    with deployed(tmp_path) as url:
        assert run("doctor", url, cwd=tmp_path).returncode == 0
        done = run("doctor", url, "--env-file", "first.env", cwd=tmp_path)
        assert done.returncode == 1
        assert "it does not know the key" in done.stderr
