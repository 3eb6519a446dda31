"""The machinery of models: fields, documents, times."""

import copy
import json
import pickle
from datetime import datetime, timedelta, timezone
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mastra_convex.errors import InvalidArgumentError, InvalidPayloadError
from mastra_convex.record import (
    Record,
    count,
    flag,
    instant,
    number,
    opaque_text,
    payload,
    records,
    text,
    to_milliseconds,
)
from tests.contract.records import exactly, json_values

EPOCH = datetime(1970, 1, 1, tzinfo=timezone.utc)


class Book(Record):
    """A model with a field of every kind."""

    noun = "book"

    id: str = text()
    short_title: str | None = text(default=None)
    weight: float | None = number(default=None)
    pages: int | None = count(default=None)
    lent: bool = flag(default=False)
    notes: Any = payload(default=None)
    diary: str | None = opaque_text(default=None)
    printed_at: datetime = instant(default=None)


class Other(Record):
    """Another model with the same fields."""

    id: str = text()


FULL = Book(
    id="b",
    short_title="B",
    weight=0.5,
    pages=7,
    lent=True,
    notes={"a": [1]},
    diary="\ud800",
    printed_at=EPOCH + timedelta(milliseconds=1500),
)


def test_attributes_and_document_say_the_same() -> None:
    assert FULL.wire == {
        "id": "b",
        "shortTitle": "B",
        "weight": 0.5,
        "pages": 7,
        "lent": True,
        "notes": '{"a":[1]}',
        "diary": '"\\ud800"',
        "printedAt": 1500.0,
    }
    assert (FULL.id, FULL.short_title, FULL.weight, FULL.pages) == ("b", "B", 0.5, 7)
    assert (FULL.notes, FULL.diary) == ({"a": [1]}, "\ud800")
    assert FULL.printed_at == EPOCH + timedelta(seconds=1.5)
    assert FULL.to_dict() == {
        "id": "b",
        "shortTitle": "B",
        "weight": 0.5,
        "pages": 7,
        "lent": True,
        "notes": {"a": [1]},
        "diary": "\ud800",
        "printedAt": 1500,
    }
    assert Book.of(FULL.wire) == FULL


def test_what_is_left_out_is_none() -> None:
    book = Book(id="b")
    assert book.wire == {"id": "b"}
    assert book.to_dict() == {"id": "b"}
    for name in ("short_title", "weight", "pages", "notes", "diary", "printed_at"):
        assert getattr(book, name) is None
    assert Book(id="b", short_title=None, notes=None) == book


def test_numbers_from_a_store_are_whole_again() -> None:
    book = Book.of({"id": "b", "pages": 7.0, "weight": 2.0, "printedAt": 1500.25})
    assert type(book.pages) is int
    shown = book.to_dict()
    assert shown == {"id": "b", "pages": 7, "weight": 2, "printedAt": 1500.25}
    assert [type(shown[name]) for name in ("pages", "weight")] == [int, int]


def test_a_mapping_in_either_spelling() -> None:
    camel = Book.encode({"id": "b", "shortTitle": "B", "printedAt": 1500})
    snake = Book.encode({"id": "b", "short_title": "B", "printed_at": 1500})
    assert (
        camel == snake == Book(id="b", short_title="B", printed_at=EPOCH + timedelta(0, 1.5)).wire
    )
    assert Book.encode(FULL) is FULL.wire


def test_unknown_fields_are_kept_as_they_are() -> None:
    wire = Book.encode({"id": "b", "unknown_one": {"a": None}, "unknownTwo": None, "extra": 1})
    book = Book.of(wire)
    assert book.extra == {"unknown_one": {"a": None}, "unknownTwo": None, "extra": 1}
    assert book.to_dict() == {"id": "b", **book.extra}
    assert Book.of(Book.encode(book.to_dict())) == book
    assert Book(id="b").extra == {}


def test_a_keyword_that_is_no_field_is_a_mistake_in_the_program() -> None:
    with pytest.raises(TypeError, match="Book has no field 'title'"):
        Book(id="b", title="B")  # type: ignore[call-arg]


@pytest.mark.parametrize(
    ("given", "text"),
    [
        ({}, "book: id is missing or empty; give it"),
        ({"id": ""}, "book '': id is missing or empty; give it"),
        ({"id": None}, "book None: id is missing or empty; give it"),
        ({"id": 5}, "book 5: id must be text, not int 5"),
        ({"id": "b", "weight": "heavy"}, "book 'b': weight must be a number, not str 'heavy'"),
        ({"id": "b", "weight": True}, "book 'b': weight must be a number, not bool True"),
        ({"id": "b", "pages": 1.5}, "book 'b': pages must be a whole number, not float 1.5"),
        ({"id": "b", "lent": 1}, "book 'b': lent must be True or False, not int 1"),
        ({"id": "b", "diary": {"a": 1}}, "book 'b': diary must be text, not dict {'a': 1}"),
        ({"id": "b", "short_title": "x", "shortTitle": "x"}, "book 'b': shortTitle is given twice"),
        ({"id": "x" * 200, "pages": "7"}, f"book {'x' * 79}"),
    ],
)
def test_a_wrong_mapping_is_refused(given: dict[str, Any], text: str) -> None:
    with pytest.raises(InvalidArgumentError) as caught:
        Book.encode(given)
    assert caught.value.message.replace("'" + "x" * 79, "x" * 79).startswith(text)


def test_a_wrong_payload_names_its_place() -> None:
    with pytest.raises(InvalidPayloadError, match=r"book 'b': notes.a\[0\] is nan"):
        Book.encode({"id": "b", "notes": {"a": [float("nan")]}})
    with pytest.raises(InvalidPayloadError, match=r"book 'b'.own is of type bytes"):
        Book.encode({"id": "b", "own": b"x"})


@pytest.mark.parametrize("given", [None, 5, "b", ["id"], Other(id="b")])
def test_what_is_no_mapping_is_refused(given: Any) -> None:
    with pytest.raises(InvalidArgumentError, match="is no book; give Book or a mapping"):
        Book.encode(given)


def test_records_are_frozen() -> None:
    with pytest.raises(AttributeError, match="Book is frozen; save a changed copy instead"):
        FULL.id = "c"  # type: ignore[misc]
    with pytest.raises(AttributeError, match="Book is frozen; save a changed copy instead"):
        del FULL.id
    with pytest.raises(TypeError, match="unhashable"):
        hash(FULL)


def test_equality_is_of_what_is_said() -> None:
    one, same = (Book.of({"id": "b", "notes": text}) for text in ('{"a":1,"b":2}', '{"b":2,"a":1}'))
    assert one == same
    assert one != Book(id="b")
    assert Book(id="b") != Other(id="b")
    assert Book(id="b") != {"id": "b"}
    assert Book.of({"id": "b", "pages": 7.0}) == Book(id="b", pages=7)


def test_the_text_of_a_record_shows_what_is_there() -> None:
    assert repr(Book(id="b", notes=[1])) == "Book(id='b', notes=[1])"
    # Before and after its attributes were looked at.
    assert repr(Book(id="b", notes=[1])) == repr(FULL).partition(", short")[0] + ", notes=[1])"


def test_records_can_be_copied() -> None:
    for copied in (copy.copy(FULL), copy.deepcopy(FULL), pickle.loads(pickle.dumps(FULL))):
        assert copied == FULL
        assert copied.printed_at == FULL.printed_at


def test_a_field_by_itself() -> None:
    assert Book.encode_field("shortTitle", "B", "book 'b'") == "B"
    assert Book.encode_field("notes", [1], "book 'b'") == "[1]"
    with pytest.raises(InvalidArgumentError, match="book 'b': pages must be a whole number"):
        Book.encode_field("pages", "7", "book 'b'")
    assert [field.wire_name for field in Book.fields] == list(FULL.wire)


@given(json_values)
def test_payloads_are_exact(value: Any) -> None:
    book = Book.of(Book.encode({"id": "b", "notes": [value], "own": value}))
    assert exactly(book.notes, [value])
    assert exactly(book.extra, {"own": value})
    assert exactly(book.to_dict()["notes"], [value])


@pytest.mark.parametrize(
    ("moment", "milliseconds"),
    [
        (0, 0),
        (-1.5, -1.5),
        (1_700_000_000_000, 1_700_000_000_000),
        (EPOCH, 0),
        (EPOCH + timedelta(microseconds=1250), 1.25),
        (datetime(1970, 1, 1, 2, tzinfo=timezone(timedelta(hours=2))), 0),
        ("1970-01-01T00:00:01Z", 1000),
        ("1970-01-01T00:00:01.5Z", 1500),
        ("1970-01-01T00:00:01.123456789Z", 1123.456),
        ("1970-01-01T02:00:00+02:00", 0),
        ("1970-01-01 00:00:00+00:00", 0),
    ],
)
def test_forms_of_a_moment(moment: Any, milliseconds: float) -> None:
    found = to_milliseconds(moment, "time")
    assert found == milliseconds
    assert type(found) is float


@pytest.mark.parametrize(
    ("moment", "text"),
    [
        (datetime(2024, 1, 1), "time is a time without a zone .* use datetime.now"),  # noqa: DTZ001
        ("2024-01-01T00:00:00", "time is a time without a zone"),
        ("yesterday", "time must be an aware datetime, milliseconds .* not 'yesterday'"),
        ("", "time must be"),
        (None, "time must be"),
        (True, "time must be"),
        ([0], "time must be"),
        (float("nan"), "time must be"),
        (float("inf"), "time must be"),
        (253_402_300_800_000, "time is outside the years 1 to 9999"),
        (-62_135_596_800_001, "time is outside the years 1 to 9999"),
        (8.64e15, "time is outside the years 1 to 9999"),
    ],
)
def test_what_is_no_moment(moment: Any, text: str) -> None:
    with pytest.raises(InvalidArgumentError, match=text) as caught:
        to_milliseconds(moment, "time")
    assert caught.value.data["path"] == "time"


@given(
    st.datetimes(
        datetime(1900, 1, 1),  # noqa: DTZ001 - the bounds are without a zone here
        datetime(2200, 1, 1),  # noqa: DTZ001
        timezones=st.integers(-1439, 1439).map(lambda m: timezone(timedelta(minutes=m))),
    )
)
def test_a_moment_comes_back(moment: datetime) -> None:
    assert Book.of(Book.encode({"id": "b", "printed_at": moment})).printed_at == moment


@given(st.integers(-62_135_596_800_000, 253_402_300_799_999))
def test_a_number_of_milliseconds_comes_back(milliseconds: int) -> None:
    book = Book.of(Book.encode({"id": "b", "printed_at": milliseconds}))
    assert book.to_dict()["printedAt"] == milliseconds
    assert Book.encode({"id": "b", "printedAt": book.printed_at}) == book.wire


@pytest.mark.parametrize("bad", ["Hello", '{"a":', "[" * 50_000])
def test_a_payload_that_is_no_json_text_is_itself(bad: str) -> None:
    book = Book.of({"id": "b", "notes": bad, "diary": bad, "extra": bad})
    assert (book.notes, book.diary, book.extra) == (bad, bad, {"extra": bad})
    assert book.to_dict() == {"id": "b", "notes": bad, "diary": bad, "extra": bad}


@pytest.mark.parametrize("far", [8.64e15, 1e300, float("inf")])
def test_a_moment_that_no_datetime_can_say_is_the_nearest(far: float) -> None:
    last, first = (Book.of({"id": "b", "printedAt": time}) for time in (far, -far))
    assert (last.printed_at.year, first.printed_at.year) == (9999, 1)
    assert last.to_dict()["printedAt"] == far


class Chapter(Record):
    """A record with another key, whose moment is required."""

    noun = "chapter"
    key = "chapterNumber"

    chapter_number: str = text()
    begun_at: datetime = instant()
    notes: Any = payload(default=None)
    books: list[Book] = records(Book, default=None)


def test_errors_name_a_record_by_its_key() -> None:
    for mapping in ({"chapterNumber": "7", "id": "x"}, {"chapter_number": "7"}):
        with pytest.raises(InvalidArgumentError, match="chapter '7': begunAt is missing or empty"):
            Chapter.encode(mapping)
    with pytest.raises(InvalidArgumentError, match=r"^chapter: chapterNumber is missing"):
        Chapter.encode({"begunAt": 0})
    assert Chapter.encode({"chapterNumber": "7", "begunAt": 0})["begunAt"] == 0


@given(notes=json_values, own=json_values)
def test_a_document_as_json(notes: Any, own: Any) -> None:
    given = {"chapterNumber": "é", "begunAt": 1.5, "notes": notes, "own": own}
    wire = Chapter.encode({**given, "books": [{"id": "b", "notes": notes, "pages": 7}]})
    assert exactly(json.loads(Chapter.json_text(wire)), Chapter.of(wire).to_dict())
    for extra in ("{}", "{ }"):
        assert json.loads(
            Chapter.json_text({"chapterNumber": "1", "begunAt": 2.0, "extra": extra})
        ) == {
            "chapterNumber": "1",
            "begunAt": 2,
        }
