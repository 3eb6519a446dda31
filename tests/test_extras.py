import pytest

from mastra_convex.errors import MissingExtraError
from mastra_convex.extras import needs_extra


def test_a_missing_package_names_its_extra() -> None:
    with pytest.raises(MissingExtraError) as caught, needs_extra("remote", "signing a token"):
        import no_such_package_at_all  # type: ignore[import-not-found]  # noqa: F401
    text = str(caught.value)
    assert text.startswith("signing a token needs the package no_such_package_at_all")
    assert text.endswith("pip install 'mastra-convex[remote]'")
    assert caught.value.data == {"extra": "remote", "package": "no_such_package_at_all"}


def test_any_other_error_is_left_alone() -> None:
    with pytest.raises(ZeroDivisionError), needs_extra("remote", "dividing"):
        _ = 1 // 0
