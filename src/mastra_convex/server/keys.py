"""Where a server has its signing keys: the environment, a .env file, or a file beside the database.

The key file has one key a line. The first signs what the server's own clients mint; tokens of all
of them are accepted, so a key is changed without a break: put a new one on top, and take the old
one out when nobody uses it any more. The server notices.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from mastra_convex.errors import FileUnavailableError, InvalidArgumentError
from mastra_convex.project.env import get_variable
from mastra_convex.server.auth import Keyring
from mastra_convex.tokens import KEY_VARIABLE, Key


def open_keyring(database: Path, env_file: Path, *, new_key: bool = False) -> tuple[Keyring, str]:
    """The keys for a database, and where they are; a key file is made if there are none.

    With `new_key`, the key file gets one on top. Raises `InvalidArgumentError` for what is no key,
    and for a new one elsewhere; `FileUnavailableError` for a file that cannot be made.
    """
    text = os.environ.get(KEY_VARIABLE)
    if new_key and (text or _in_env_file(env_file)):
        where = "the environment" if text else str(env_file)
        raise InvalidArgumentError(
            f"the key is {KEY_VARIABLE} in {where}, and not in a key file; change it there"
        )
    if text:
        key = Key.from_text(text)
        return Keyring(lambda: [key]), "the environment"
    if _in_env_file(env_file):
        return Keyring(lambda: _in_env_file(env_file), env_file), str(env_file)
    path = key_file(database)
    try:
        if new_key and path.exists():
            _write(path, [Key.generate(), *_in_key_file(path)], os.replace)
        elif not path.exists():
            # Another server may do the same at this moment; then the file of one of them stays.
            with suppress(FileExistsError):
                _write(path, [Key.generate()], os.link)
    except OSError as error:
        raise FileUnavailableError(
            f"the key file {path} cannot be made: {error.strerror}; check that its folder exists "
            f"and that you may write there, or set {KEY_VARIABLE}",
            path=str(path),
        ) from error
    return Keyring(lambda: _in_key_file(path), path), str(path)


def key_file(database: Path) -> Path:
    """The key file of a database."""
    return database.with_name(f"{database.name}.keys")


def _write(path: Path, keys: list[Key], put: Callable[[str, Path], None]) -> None:
    """Write the file beside its place and `put` it there: it appears whole, for its owner alone."""
    descriptor, new = tempfile.mkstemp(prefix=f"{path.name}.", dir=path.parent)
    try:
        with os.fdopen(descriptor, "w", encoding="ascii") as file:
            file.writelines(f"{key.to_text()}\n" for key in keys)
        put(new, path)
    finally:
        with suppress(FileNotFoundError):
            os.unlink(new)


def _in_env_file(path: Path) -> list[Key]:
    try:
        text = get_variable(path.read_bytes(), KEY_VARIABLE)
    except FileNotFoundError:
        return []
    return [Key.from_text(text)] if text else []


def _in_key_file(path: Path) -> list[Key]:
    lines = path.read_text(encoding="utf-8", errors="replace").splitlines()
    keys = [Key.from_text(line) for line in lines if line.strip()]
    if not keys:
        raise InvalidArgumentError(f"{path} has no key; delete it, and a new one will be made")
    return keys
