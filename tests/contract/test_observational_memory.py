"""Observational memory: generations, chunks that wait, and what happens to both at once."""

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given

from mastra_convex import (
    ConflictError,
    ConvexStorage,
    InvalidArgumentError,
    LimitExceededError,
    NotFoundError,
    ObservationalMemory,
    ObservationChunk,
)
from tests.contract.records import (
    Doc,
    at,
    exactly,
    ids,
    json_objects,
    json_text,
    now,
    on_one_storage,
)

OF = ("t", "r")


def begun(storage: ConvexStorage, **given: Any) -> ObservationalMemory:
    """Memory of a thread, which has just begun."""
    fields = {"scope": "thread", "config": {"a": {"b": 1}}, **given}
    return storage.initialize_observational_memory(*OF, **fields)


def present(storage: ConvexStorage) -> ObservationalMemory:
    """The present generation."""
    found = storage.get_observational_memory(*OF)
    assert found is not None
    return found


def chunk(n: int, **fields: Any) -> Doc:
    """The chunk of a cycle."""
    return {
        "cycleId": f"c{n}",
        "observations": f"o{n}",
        "tokenCount": 10,
        "messageIds": [f"m{n}"],
        "messageTokens": 100,
        "lastObservedAt": at(n),
        **fields,
    }


EVERYTHING: Doc = {
    "activation_ratio": 1,
    "message_tokens_threshold": 1,
    "current_pending_tokens": 1e9,
}


def test_a_life_of_memory(storage: ConvexStorage) -> None:
    assert storage.get_observational_memory(*OF) is None
    assert storage.get_observational_memory_history(*OF) == []
    first = begun(storage, observed_timezone="Europe/London")
    assert present(storage) == first
    assert (first.generation_count, first.origin_type, first.active_observations) == (
        0,
        "initial",
        "",
    )
    assert (first.config, first.metadata, first.last_observed_at) == ({"a": {"b": 1}}, {}, None)
    storage.update_active_observations(first.id, "seen", 5, at(1), ["m"])
    for n in (1, 2):
        storage.update_buffered_observations(first.id, chunk(n), last_buffered_at_time=at(n))
    storage.update_buffered_observations(first.id, chunk(2, observations="again"))
    found = present(storage)
    assert [each.observations for each in found.buffered_observation_chunks] == ["o1", "o2"]
    assert (found.total_tokens_observed, found.observed_message_ids) == (5, ["m"])
    activated = storage.swap_buffered_to_active(first.id, **EVERYTHING)
    assert (activated.cycle_ids, activated.message_ids) == (["c1", "c2"], ["m1", "m2"])
    assert (activated.message_tokens, activated.observation_tokens) == (200, 20)
    found = present(storage)
    assert found.active_observations == (
        "seen\n\n--- message boundary (2023-11-14T22:13:22.000Z) ---\n\no1\n\no2"
    )
    assert found.buffered_observation_chunks == []
    storage.update_buffered_reflection(first.id, "in short", 3, 30, 1)
    second = storage.swap_buffered_reflection_to_active(found, 7)
    assert second.active_observations.startswith("in short\n\n--- message boundary")
    assert (second.generation_count, second.origin_type) == (1, "reflection")
    third = storage.create_reflection_generation(second, "shorter", 1)
    assert present(storage) == third
    assert ids(storage.get_observational_memory_history(*OF)) == [third.id, second.id, first.id]
    storage.clear_observational_memory(*OF)
    assert storage.get_observational_memory_history(*OF) == []
    storage.clear_observational_memory(*OF)


def test_flags_and_config(storage: ConvexStorage) -> None:
    id = begun(storage).id
    storage.set_reflecting_flag(id, True)
    storage.set_observing_flag(id, True)
    storage.set_buffering_observation_flag(id, True, 40)
    storage.set_buffering_reflection_flag(id, True)
    storage.set_pending_message_tokens(id, 50)
    storage.set_observing_flag(id, False)
    storage.set_buffering_observation_flag(id, False)
    storage.update_observational_memory_config(id, {"a": {"c": [2**70]}, "d": None})
    found = present(storage)
    assert (found.is_reflecting, found.is_observing) == (True, False)
    assert (found.is_buffering_observation, found.is_buffering_reflection) == (False, True)
    assert (found.last_buffered_at_tokens, found.pending_message_tokens) == (40, 50)
    assert found.config == {"a": {"b": 1, "c": [2**70]}, "d": None}


def test_a_thread_and_a_resource_have_memories_of_their_own(storage: ConvexStorage) -> None:
    begun(storage)
    of_resource = storage.initialize_observational_memory(None, "r", scope="resource", config={})
    assert storage.get_observational_memory(None, "r") == of_resource
    assert storage.get_observational_memory("", "r") == of_resource
    assert storage.get_observational_memory(None, "s") is None
    assert of_resource.thread_id is None
    storage.clear_observational_memory(None, "r")
    assert storage.get_observational_memory(None, "r") is None
    assert present(storage).thread_id == "t"


def test_a_part_of_history(storage: ConvexStorage) -> None:
    record = begun(storage).to_dict()
    made = [
        {**record, "id": f"g{n}", "generationCount": n, "createdAt": at(n)} for n in range(1, 60)
    ]
    for each in made:
        storage.insert_observational_memory_record(each)
    newest = [each["id"] for each in made[::-1]]

    def history(*limit: int, **given: Any) -> list[str]:
        return ids(storage.get_observational_memory_history(*OF, *limit, **given))

    assert history() == [*newest, record["id"]]
    assert history(3) == newest[:3]
    assert history(2, offset=30) == newest[30:32]
    assert history(from_date=at(57), to_date=at(99)) == newest[:3]
    assert history(2, to_date=at(3), from_date=at(2)) == newest[-3:-1]
    assert history(1, to_date=at(3), offset=1) == newest[-2:-1]
    assert history(0) == []
    storage.insert_observational_memory_record(made[0])
    with pytest.raises(ConflictError, match="is there already, and is another"):
        storage.insert_observational_memory_record({**made[0], "generationCount": 99})


def test_each_chunk_is_activated_once(storage: ConvexStorage) -> None:
    """Twenty callers at once: every chunk goes to one of them, and into the text one time."""
    id = begun(storage).id
    with ThreadPoolExecutor(20) as pool:
        list(pool.map(lambda n: storage.update_buffered_observations(id, chunk(n % 10)), range(20)))
        some = {**EVERYTHING, "activation_ratio": 0, "message_tokens_threshold": 100}
        some["current_pending_tokens"] = 250
        activated = list(pool.map(lambda n: storage.swap_buffered_to_active(id, **some), range(20)))
        storage.swap_buffered_to_active(id, **EVERYTHING)
    cycles = [cycle for each in activated for cycle in each.cycle_ids]
    assert len(cycles) == len(set(cycles)) > 1
    text = present(storage).active_observations
    assert sorted(line for line in text.split("\n") if line.startswith("o")) == [
        f"o{n}" for n in range(10)
    ]


def test_a_reflection_has_one_winner(storage: ConvexStorage) -> None:
    first = begun(storage)
    storage.update_buffered_reflection(first.id, "in short", 1, 1, 0)

    def swap(_: int) -> bool:
        try:
            storage.swap_buffered_reflection_to_active(first, 1)
        except ConflictError:
            return False
        return True

    with ThreadPoolExecutor(20) as pool:
        assert sum(pool.map(swap, range(20))) == 1
        made = set(pool.map(lambda _: begun(storage).id, range(20)))
    assert made == {present(storage).id}
    assert len(storage.get_observational_memory_history(*OF)) == 2


def test_memory_follows_its_changes(storage: ConvexStorage) -> None:
    with storage.watch_observational_memory(*OF) as values:
        assert values.next(5) is None
        record = begun(storage)
        assert values.next(5) == record
        storage.update_buffered_observations(record.id, chunk(1))
        found = values.next(5)
        assert found is not None
        assert [each.cycle_id for each in found.buffered_observation_chunks] == ["c1"]


def test_an_update_moves_on_by_a_millisecond_at_least(storage: ConvexStorage) -> None:
    ahead = {**begun(storage).to_dict(), "id": "g", "updatedAt": now() + 60_000}
    storage.insert_observational_memory_record(ahead)
    before = present(storage).updated_at
    storage.set_observing_flag("g", True)
    assert present(storage).updated_at - before == timedelta(milliseconds=1)


def test_unknown_records(storage: ConvexStorage) -> None:
    gone = {"id": "none"}
    calls: dict[str, tuple[Any, ...]] = {
        "update_active_observations": ("none", "", 1, at(1)),
        "update_buffered_observations": ("none", chunk(1)),
        "create_reflection_generation": (gone, "", 1),
        "update_buffered_reflection": ("none", "", 1, 1, 1),
        "swap_buffered_reflection_to_active": (gone, 1),
        "set_reflecting_flag": ("none", True),
        "set_observing_flag": ("none", True),
        "set_buffering_observation_flag": ("none", True),
        "set_buffering_reflection_flag": ("none", True),
        "set_pending_message_tokens": ("none", 1),
        "update_observational_memory_config": ("none", {}),
    }
    for name, args in calls.items():
        with pytest.raises(NotFoundError, match=f"{name}: there is no observational memory 'none'"):
            getattr(storage, name)(*args)
    with pytest.raises(NotFoundError, match="swap_buffered_to_active: there is no"):
        storage.swap_buffered_to_active("none", **EVERYTHING)


def test_too_much_waits(storage: ConvexStorage) -> None:
    id = begun(storage).id
    storage.update_buffered_observations(id, chunk(1, observations="x" * 3_000_000))
    with pytest.raises(LimitExceededError, match="activate them first"):
        storage.update_buffered_observations(id, chunk(2, observations="x" * 3_000_000))
    assert len(present(storage).buffered_observation_chunks) == 1


def test_bad_arguments_are_refused(storage: ConvexStorage) -> None:
    id = begun(storage).id
    calls: list[tuple[str, Any]] = [
        ("scope is 'thread' or", lambda: begun(storage, scope="all")),
        ("resource_id must be text", lambda: storage.get_observational_memory("t", None)),  # type: ignore[arg-type]
        ("limit must be >= 0", lambda: storage.get_observational_memory_history(*OF, -1)),
        ("isObserving must be True or", lambda: storage.set_observing_flag(id, 1)),  # type: ignore[arg-type]
        ("must be a number", lambda: storage.set_pending_message_tokens(id, "1")),  # type: ignore[arg-type]
        (
            "observations is missing or",
            lambda: storage.update_buffered_observations(id, {"cycleId": "c"}),
        ),
        ("current_record is a record", lambda: storage.create_reflection_generation(5, "", 1)),  # type: ignore[arg-type]
        (
            "bufferedObservationChunks must be a list",
            lambda: storage.insert_observational_memory_record(
                {**present(storage).to_dict(), "id": "x", "bufferedObservationChunks": "x"}
            ),
        ),
    ]
    for text, call in calls:
        with pytest.raises(InvalidArgumentError, match=text):
            call()


@on_one_storage
@given(text=json_text, config=json_objects)
def test_everything_is_kept_exactly(storage: ConvexStorage, text: str, config: Doc) -> None:
    storage.clear_observational_memory(*OF)
    id = begun(storage, config=config).id
    storage.update_active_observations(id, text, 1, at(1))
    of_chunk = ObservationChunk(
        id="c",
        cycle_id="c",
        observations=text,
        token_count=1,
        message_ids=[text],
        message_tokens=1,
        last_observed_at=present(storage).updated_at,
        current_task=text,
        extracted_values=config,
    )
    storage.update_buffered_observations(id, of_chunk)
    found = present(storage)
    assert (found.active_observations, exactly(found.config, config)) == (text, True)
    kept = found.buffered_observation_chunks[0]
    assert (kept.observations, kept.current_task, kept.message_ids) == (text, text, [text])
    assert exactly(kept.extracted_values, config)
    storage.clear_observational_memory(*OF)
