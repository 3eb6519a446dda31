"""Function paths as clients spell them: `[dir/]module[.js][:export]`."""

from __future__ import annotations

import re

_PART = re.compile(r"(?=.*[A-Za-z0-9])[A-Za-z0-9_.]{1,64}\Z", re.ASCII)
_EXPORT = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,63}\Z", re.ASCII)


def canonical_path(text: str) -> str | None:
    """`dir/module:export`, whichever way it was spelt; None if it is no path."""
    module, colon, export = text.rpartition(":")
    if not colon:
        module, export = text, "default"
    module = module.removesuffix(".js")
    parts = module.split("/")
    # Only the extension that was taken off may have been one.
    if not all(map(_PART.match, parts)) or "." in parts[-1] or not _EXPORT.match(export):
        return None
    return f"{module}:{export}"


def path_of_url(rest: str) -> str | None:
    """The path in what follows `/api/run/`: `a/b/list` is `a/b:list`; None if it is none."""
    module, slash, export = rest.rpartition("/")
    return canonical_path(f"{module}:{export}") if slash else None
