"""Following what arrives, whoever saves it."""

from __future__ import annotations

from contextlib import suppress
from typing import cast

from mastra_convex._async.base import AsyncStorageBase
from mastra_convex.errors import StorageClosedError
from mastra_convex.reads import arrivals as reads


class AsyncArrivals(AsyncStorageBase):
    """The operation on everything that comes."""

    async def follow(self, last: int = 0) -> reads.AsyncRecords:
        """Every thread and message that is saved from now on, each once, as it arrives.

        Those of other processes too, in the order of saving; a thread comes before its messages.
        A record that is changed, or saved again, does not come again. Begins with the `last`
        newest messages (at most 500). Ends when the storage is closed.
        """
        following = reads.Following()
        # Closing may come in the middle of a call as well as between two.
        with suppress(StorageClosedError):
            for message in await self._run("follow", following.begin(last)):
                yield message
            async with self._watch("follow", reads.latest) as changes:
                pause: float | None = None
                while True:
                    try:
                        await changes.next(pause)
                        # A late record does not move the newest position: look once more for it.
                        pause = reads.LATE_SECONDS
                    except TimeoutError:
                        pause = None
                    done = False
                    while not done:
                        found = cast("reads.Arrivals", await self._run("follow", following.more()))
                        for thread in found.threads:
                            yield thread
                        for message in found.messages:
                            yield message
                        done = found.done
