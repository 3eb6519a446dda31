import re

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from mastra_convex.project.env import get_variable, set_variable

NAME = "MASTRA_CONVEX_KEY"


@pytest.mark.parametrize(
    ("content", "value"),
    [
        (b"", None),
        (b"A=1\n", None),
        (b"MASTRA_CONVEX_KEY=k", "k"),
        (b"MASTRA_CONVEX_KEY = k # the key\n", "k"),
        (b"export MASTRA_CONVEX_KEY='k # k'\n", "k # k"),
        (b'\xef\xbb\xbfMASTRA_CONVEX_KEY="k"\r\nA=1\r\n', "k"),
        (b"# MASTRA_CONVEX_KEY=k\n", None),
        (b"MASTRA_CONVEX_KEY_OLD=k\nX_MASTRA_CONVEX_KEY=k\n", None),
        (b"MASTRA_CONVEX_KEY=a\nMASTRA_CONVEX_KEY=b\n", "b"),
        (b'NOTE="first\nMASTRA_CONVEX_KEY=inside\n"\nMASTRA_CONVEX_KEY=k\n', "k"),
        (b'NOTE="first\nMASTRA_CONVEX_KEY=inside\n"\n', None),
        (b"NOTE=it's\nMASTRA_CONVEX_KEY=k\n", "k"),
        (b'NOTE="open\nMASTRA_CONVEX_KEY=k\n', "k"),
        (b"MASTRA_CONVEX_KEY=\n", ""),
        (b"MASTRA_CONVEX_KEY= # none\nA=1\n", ""),
        (b"\xff\xfe\nMASTRA_CONVEX_KEY=k\n", "k"),
    ],
)
def test_a_value_is_read_as_dotenv_reads_it(content: bytes, value: str | None) -> None:
    assert get_variable(content, NAME) == value


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (b"", b"MASTRA_CONVEX_KEY=new\n"),
        (b"A=1", b"A=1\nMASTRA_CONVEX_KEY=new\n"),
        (b"A=1\r\nB=2", b"A=1\r\nB=2\r\nMASTRA_CONVEX_KEY=new\r\n"),
        (b"\xef\xbb\xbf", b"\xef\xbb\xbfMASTRA_CONVEX_KEY=new\n"),
        (b"MASTRA_CONVEX_KEY=old", b"MASTRA_CONVEX_KEY=new"),
        (
            b"A=1\r\nMASTRA_CONVEX_KEY='o\r\nld'\r\nB=2\r\n",
            b"A=1\r\nMASTRA_CONVEX_KEY=new\r\nB=2\r\n",
        ),
        # No old secret stays behind.
        (
            b"MASTRA_CONVEX_KEY=a\nB=2\nexport MASTRA_CONVEX_KEY=b\n",
            b"MASTRA_CONVEX_KEY=new\nB=2\nMASTRA_CONVEX_KEY=new\n",
        ),
    ],
)
def test_a_value_is_set_in_its_place_or_at_the_end(before: bytes, after: bytes) -> None:
    assert set_variable(before, NAME, "new") == after


OTHER_LINES = st.lists(
    st.one_of(
        st.sampled_from(
            [
                b"A=1",
                b"export B = 'x y' # why",
                b'C="one\ntwo"',
                b"# MASTRA_CONVEX_KEY=commented",
                b"",
                b"   ",
                b"MASTRA_CONVEX_KEYS=many",
                b"not an assignment",
                b"D='it\\'s'",
            ]
        ),
        st.binary(max_size=20).filter(lambda line: not re.search(rb"[\r\n\"'`=]", line)),
    )
)


@given(
    OTHER_LINES,
    OTHER_LINES,
    st.sampled_from([b"\n", b"\r\n"]),
    st.sampled_from([None, b"MASTRA_CONVEX_KEY=old", b'export MASTRA_CONVEX_KEY="o l d"']),
    st.booleans(),
)
@example([], [], b"\r\n", None, False)
def test_other_lines_survive(
    before: list[bytes], after: list[bytes], newline: bytes, old: bytes | None, ends: bool
) -> None:
    lines = [*before, *([] if old is None else [old]), *after]
    content = newline.join(lines) + (newline if ends else b"")
    changed = set_variable(content, NAME, "new")
    assert get_variable(changed, NAME) == "new"
    new = b"MASTRA_CONVEX_KEY=new"
    if old is not None:
        assert changed == newline.join([*before, new, *after]) + (newline if ends else b"")
    else:
        assert changed.startswith(content)
        assert changed[len(content) :].strip() == new
    assert set_variable(changed, NAME, "new") == changed


@given(st.binary(max_size=200))
def test_whatever_the_file_holds_the_value_is_found_again(content: bytes) -> None:
    changed = set_variable(content, NAME, "value-1.x_y")
    assert get_variable(changed, NAME) == "value-1.x_y"
    assert changed.startswith(content) or NAME.encode() in content


@given(st.text(alphabet="\"'`\\\n=A#", max_size=30))
def test_quotes_that_do_not_match_harm_nothing(text: str) -> None:
    content = text.encode()
    changed = set_variable(content, NAME, "new")
    assert changed.startswith(content)
    assert get_variable(changed, NAME) == "new"
