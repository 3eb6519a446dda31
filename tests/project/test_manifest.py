from pathlib import Path

import pytest

from mastra_convex.errors import ProjectError
from mastra_convex.project.manifest import NAME, Manifest, load


def test_what_was_written_is_read(tmp_path: Path) -> None:
    assert load(tmp_path) is None
    written = Manifest("mastra", {"mastra/threads.ts": "0" * 64}, [{"kid": "k", "kty": "EC"}])
    (tmp_path / NAME).write_bytes(written.to_bytes())
    assert load(tmp_path) == written


@pytest.mark.parametrize(
    "content",
    [b"", b"[]", b"{}", b"<<<<<<< HEAD\n{}", b'{"into": "", "files": {}, "keys": [{}]}', b"\xff"],
)
def test_a_damaged_one_is_refused(tmp_path: Path, content: bytes) -> None:
    (tmp_path / NAME).write_bytes(content)
    with pytest.raises(ProjectError, match="is damaged; restore it from version control"):
        load(tmp_path)
