"""Messages are values; secrets in them do not show."""

from mastra_convex.protocol.messages import NO_DATA, Authenticate, QueryFailed


def test_a_token_is_not_shown() -> None:
    assert "secret" not in repr(Authenticate(0, "User", "secret"))


def test_an_error_without_data_differs_from_one_with_null() -> None:
    assert QueryFailed(0, "no") != QueryFailed(0, "no", None)
    assert repr(NO_DATA) == "NO_DATA"
