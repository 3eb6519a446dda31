from collections.abc import Iterator

import pytest

from tests.functions.lib.inside import Inside, opened


@pytest.fixture
def inside() -> Iterator[Inside]:
    """Runs code with the context that functions get."""
    with opened() as each:
        yield each
