"""Messages: save, get, list, and the walk through a long thread."""

import time
from datetime import datetime, timezone
from typing import Any

import pytest
from hypothesis import given

from mastra_convex import (
    ConvexStorage,
    InvalidArgumentError,
    LimitExceededError,
    Message,
    NotFoundError,
)
from tests.contract.records import (
    T0,
    at,
    exactly,
    ids,
    json_values,
    message,
    now,
    on_one_storage,
    records_of,
    save_conversation,
    thread,
    updated_at,
)

DESC = {"direction": "DESC"}


def test_no_thread_no_messages(storage: ConvexStorage) -> None:
    assert storage.get_messages("t") == []
    assert storage.get_messages("t", last=3) == []
    assert storage.list_messages("t").messages == []
    assert storage.list_messages_by_id([]) == []
    assert storage.list_messages_by_id(["m"]) == []
    assert storage.save_messages([]) == []
    assert storage.update_messages([]) == []
    storage.delete_messages([])


def test_what_is_saved_comes_back(storage: ConvexStorage) -> None:
    storage.save_thread(thread())
    content = {"format": 2, "parts": [{"type": "text", "text": "Hi"}], "metadata": {"$k": 1}}
    given = message(role="assistant", type="v2", resourceId="r", content=content, custom=[1])
    saved = storage.save_message(given)
    assert storage.get_messages("t") == [saved]
    assert saved.to_dict() == given | {"seq": 1}
    assert (saved.thread_id, saved.resource_id, saved.role) == ("t", "r", "assistant")
    assert saved.content == content
    assert saved.created_at == datetime.fromtimestamp(T0 / 1000, timezone.utc)


@pytest.mark.parametrize(
    "given",
    [
        {"id": "m", "threadId": "t", "role": "user", "content": "m", "createdAt": T0},
        {"id": "m", "thread_id": "t", "role": "user", "content": "m", "created_at": T0, "seq": 77},
        Message(
            id="m",
            thread_id="t",
            role="user",
            content="m",
            created_at=datetime(2023, 11, 14, 22, 13, 20, tzinfo=timezone.utc),
        ),
    ],
    ids=["camelCase", "snake_case", "model"],
)
def test_every_form_of_a_message_is_the_same(storage: ConvexStorage, given: Any) -> None:
    storage.save_thread(thread())
    assert storage.save_message(given).to_dict() == message(seq=1)
    assert storage.save_messages([given]) == storage.get_messages("t")


def test_an_older_message_has_its_role_in_its_type(storage: ConvexStorage) -> None:
    storage.save_thread(thread())
    for role in ("user", "assistant", "system", "signal", "tool"):
        saved = storage.save_message({"id": "m", "threadId": "t", "type": role, "content": "Hi"})
        assert (saved.role, saved.type) == (role, role)


def test_arguments_go_by_position_or_by_name(storage: ConvexStorage) -> None:
    storage.save_thread(thread())
    storage.save_message(message=message("a"))
    storage.save_messages(messages=[message("b")])
    assert storage.get_messages("t", 1) == storage.get_messages(thread_id="t", last=1)
    assert storage.list_messages("t") == storage.list_messages(thread_id="t")
    assert len(storage.list_messages_by_id(message_ids=["a", "b"])) == 2
    storage.update_messages(messages=[{"id": "a", "content": "x"}])
    storage.delete_messages(message_ids=["a", "b"])
    assert storage.get_messages("t") == []


def test_a_time_that_is_left_out_is_now(storage: ConvexStorage) -> None:
    storage.save_thread(thread())
    before = now()
    saved = storage.save_message({"id": "m", "threadId": "t", "role": "user", "content": ""})
    assert before - 1 <= saved.created_at.timestamp() * 1000 <= now() + 1


def test_messages_are_in_order_of_time_then_of_saving(storage: ConvexStorage) -> None:
    storage.save_thread(thread())
    times = {"a": 5, "b": 1, "c": 5, "d": 1, "e": 3}
    storage.save_messages([message(name, createdAt=at(n)) for name, n in times.items()])
    assert ids(storage.get_messages("t")) == list("bdeac")
    assert ids(storage.list_messages("t", order_by=DESC).messages) == list("caedb")
    assert [each.seq for each in storage.get_messages("t")] == [2, 4, 5, 1, 3]
    assert ids(storage.list_messages_by_id(list("abcde"))) == list("bdeac")
    for last in range(7):
        assert ids(storage.get_messages("t", last=last)) == list("bdeac")[max(0, 5 - last) :]
    assert storage.get_messages("t", last=-2) == []


def test_saving_bumps_the_thread(storage: ConvexStorage) -> None:
    storage.save_thread(thread())
    storage.save_thread(thread("u"))
    before = now()
    storage.save_message(message())
    assert updated_at(storage).timestamp() * 1000 >= before - 1
    assert updated_at(storage, "u").timestamp() * 1000 == T0
    found = storage.get_thread_by_id("t")
    assert found is not None
    assert found.created_at.timestamp() * 1000 == T0


def test_saving_the_same_again_changes_nothing(storage: ConvexStorage) -> None:
    storage.save_thread(thread())
    untimed = {"id": "n", "threadId": "t", "role": "user", "content": {"a": 1}, "x": 1}
    first = storage.save_messages([message(), untimed])
    state = (storage.get_messages("t"), updated_at(storage), storage.get_statistics())
    time.sleep(0.002)
    assert storage.save_messages([message(), untimed]) == first
    assert storage.save_message(untimed) == first[1]
    # What was read is what was saved.
    assert storage.save_messages(first) == first
    assert storage.save_messages([each.to_dict() for each in first]) == first
    assert (storage.get_messages("t"), updated_at(storage), storage.get_statistics()) == state


def test_saving_replaces_all_but_time_and_place(storage: ConvexStorage) -> None:
    storage.save_thread(thread())
    storage.save_messages([message("a", resourceId="r", type="v2", x=1), message("b")])
    before = updated_at(storage)
    time.sleep(0.002)
    saved = storage.save_message(message("a", role="assistant", content="new", createdAt=at(9)))
    assert saved.to_dict() == message("a", role="assistant", content="new", seq=1)
    assert ids(storage.get_messages("t")) == ["a", "b"]
    assert updated_at(storage) > before


def test_of_one_id_twice_the_last_stays(storage: ConvexStorage) -> None:
    storage.save_thread(thread())
    storage.save_messages([message(content="1"), message("n"), message(content="2")])
    assert [each.content for each in storage.get_messages("t")] == ["2", "n"]
    assert storage.list_messages("t").total == 2


def test_a_message_needs_its_thread(storage: ConvexStorage) -> None:
    storage.save_thread(thread())
    text = "save_message.*: message 'b' names thread 'no', which does not exist; save the thread"
    with pytest.raises(NotFoundError, match=text) as caught:
        storage.save_messages([message("a"), message("b", "no")])
    assert caught.value.data == {"table": "threads", "id": "no"}
    # All of them, or none.
    assert storage.get_messages("t") == []
    assert updated_at(storage).timestamp() * 1000 == T0
    with pytest.raises(NotFoundError, match="save_message: "):
        storage.save_message(message("b", "no"))
    assert records_of(storage)["messages"] == 0


def test_too_many_messages_at_once(storage: ConvexStorage) -> None:
    storage.save_thread(thread())
    many = [message(f"m{n}") for n in range(1001)]
    with pytest.raises(LimitExceededError, match=r"save_messages: 1001 messages .* 1000") as caught:
        storage.save_messages(many)
    assert caught.value.data == {"limit": 1000, "given": 1001}
    assert (storage.get_messages("t"), records_of(storage)["messages"]) == ([], 0)
    assert len(storage.save_messages(many[:1000])) == 1000
    with pytest.raises(LimitExceededError, match="update_messages: 1001 messages"):
        storage.update_messages([{"id": each["id"], "content": "x"} for each in many])
    with pytest.raises(LimitExceededError, match="delete_messages: 1001 ids"):
        storage.delete_messages([each["id"] for each in many])
    assert storage.list_messages("t", per_page=1).total == 1000
    assert storage.get_messages("t", last=1)[0].content == "m999"


def test_a_long_thread(storage: ConvexStorage) -> None:
    names = save_conversation(storage, 1200)
    assert ids(storage.get_messages("t")) == names
    assert ids(storage.get_messages("t", last=700)) == names[500:]
    assert ids(storage.list_messages("t", per_page=False).messages) == names
    page = storage.list_messages("t", page=2, per_page=500)
    assert (ids(page.messages), page.total, page.has_more) == (names[1000:], 1200, False)
    page = storage.list_messages("t", page=1, per_page=550, order_by=DESC, include_total=False)
    assert ids(page.messages) == names[649:99:-1]
    assert page.has_more
    # By id there is no bound, and twice is once.
    assert ids(storage.list_messages_by_id([*names[::-1], *names])) == names
    storage.delete_thread("t")
    assert storage.list_messages_by_id(names) == []
    assert records_of(storage)["messages"] == 0


def test_large_messages(storage: ConvexStorage) -> None:
    storage.save_thread(thread())
    text = "ä" * 2_500_000
    names = [f"m{n}" for n in range(4)]
    for n, name in enumerate(names):
        storage.save_message(message(name, content=text + name, createdAt=at(n)))
    found = storage.get_messages("t")
    assert [each.content == text + each.id for each in found] == [True] * 4
    assert ids(storage.get_messages("t", last=2)) == names[2:]
    page = storage.list_messages("t", page=1, per_page=3)
    assert (ids(page.messages), page.total, page.has_more) == (names[3:], 4, False)
    page = storage.list_messages("t", page=0, per_page=3, include_total=False)
    assert (ids(page.messages), page.total, page.has_more) == (names[:3], None, True)


def test_there_is_no_more_after_a_page_of_many_bytes(storage: ConvexStorage) -> None:
    storage.save_thread(thread())
    storage.save_message(message(content="x" * 4_500_000))
    page = storage.list_messages("t", per_page=1, include_total=False)
    assert (len(page.messages), page.has_more) == (1, False)


def test_ids_of_any_thread(storage: ConvexStorage) -> None:
    for name in ("t", "u"):
        storage.save_thread(thread(name, resource=name))
    storage.save_messages([message("b", "t", createdAt=at(2)), message("a", "u", createdAt=at(1))])
    found = storage.list_messages_by_id(["b", "none", "a", "b"])
    assert ids(found) == ["a", "b"]
    assert [each.thread_id for each in found] == ["u", "t"]
    assert ids(storage.list_messages_by_id(("a",))) == ["a"]


def test_bad_thread_ids_are_refused(storage: ConvexStorage) -> None:
    for bad in ("", "  ", None, 5, ["t"]):
        with pytest.raises(InvalidArgumentError, match="thread_id must be the id of a thread"):
            storage.get_messages(bad)  # type: ignore[arg-type]
    for last in ("2", 2.0, True):
        with pytest.raises(InvalidArgumentError, match="get_messages: last must be a whole number"):
            storage.get_messages("t", last=last)  # type: ignore[arg-type]


def test_bad_lists_of_ids_are_refused(storage: ConvexStorage) -> None:
    for operation in (storage.list_messages_by_id, storage.delete_messages):
        for bad in ("abc", None, 5, {"a": 1}):
            with pytest.raises(InvalidArgumentError, match=r": message_ids is a list of"):
                operation(bad)  # type: ignore[arg-type]
        for item in (5, None, ["a"]):
            with pytest.raises(InvalidArgumentError, match=r"message_ids\[1\] must be text"):
                operation(["a", item])  # type: ignore[list-item]


@on_one_storage
@given(content=json_values.filter(lambda value: value is not None))
def test_content_is_kept_exactly(storage: ConvexStorage, content: Any) -> None:
    storage.save_thread(thread())
    saved = storage.save_message(message(content=content, x={"own": content}))
    assert exactly(saved.content, content)
    found = storage.get_messages("t")[0]
    assert exactly(found.content, content)
    assert exactly(found.extra, {"x": {"own": content}})
    assert exactly(storage.update_messages([{"id": "m", "content": content}])[0].content, content)
