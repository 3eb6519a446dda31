"""Paths have one form, whichever way they are spelt."""

import pytest

from mastra_convex.protocol.paths import canonical_path, path_of_url


@pytest.mark.parametrize(
    ("text", "path"),
    [
        ("messages:list", "messages:list"),
        ("messages.js:list", "messages:list"),
        ("messages", "messages:default"),
        ("messages.js", "messages:default"),
        ("a/b_1:list_2", "a/b_1:list_2"),
        ("v1.2/b:list", "v1.2/b:list"),
        ("", None),
        (":list", None),
        ("a:", None),
        ("a b:list", None),
        ("/a:list", None),
        ("a//b:list", None),
        ("a-b:list", None),
        ("a.py:list", None),
        ("__:list", None),
        ("a:1st", None),
        ("a:li.st", None),
        ("a:b:c", None),
        ("\u00e4:list", None),
        ("a:list\n", None),
        ("a" * 65 + ":list", None),
        ("a:" + "l" * 65, None),
    ],
)
def test_canonical_paths(text: str, path: str | None) -> None:
    assert canonical_path(text) == path


@pytest.mark.parametrize(
    ("rest", "path"),
    [("messages/list", "messages:list"), ("a/b/list", "a/b:list"), ("list", None), ("a/", None)],
)
def test_paths_of_urls(rest: str, path: str | None) -> None:
    assert path_of_url(rest) == path
