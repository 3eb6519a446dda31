"""Every error of this package, in one tree.

    ConvexStorageError                 STORAGE_ERROR
    ├── InvalidArgumentError           INVALID_ARGUMENT      also a ValueError
    │   └── InvalidPayloadError        INVALID_PAYLOAD
    ├── NotFoundError                  NOT_FOUND
    ├── ConflictError                  CONFLICT
    ├── LimitExceededError             LIMIT_EXCEEDED
    ├── UnauthenticatedError           UNAUTHENTICATED
    ├── FunctionNotFoundError          FUNCTION_NOT_FOUND
    ├── UnsupportedDomainError         UNSUPPORTED_DOMAIN    of Mastra's, and not here
    ├── StorageClosedError             STORAGE_CLOSED
    ├── StorageFileError               STORAGE_FILE
    │   ├── FileUnavailableError       FILE_UNAVAILABLE      cannot be opened, read or written
    │   ├── CorruptFileError           FILE_CORRUPT
    │   ├── ForeignFileError           FILE_FOREIGN          a database of some other program
    │   ├── NewerFormatError           FILE_NEWER
    │   └── FileBusyError              FILE_BUSY
    ├── DeploymentError                DEPLOYMENT
    │   ├── UnreachableError           UNREACHABLE           no answer, or not Convex's
    │   │   └── DeadlineError          DEADLINE              no answer in time
    │   ├── OlderFunctionsError        FUNCTIONS_OLDER
    │   └── NewerFunctionsError        FUNCTIONS_NEWER
    ├── ProjectError                   PROJECT               a Convex project that init cannot write
    └── MissingExtraError              MISSING_EXTRA         a package that is not installed

`code` is stable and the same on every backend; `data` holds what a program may want to look at
(the table, the id, the limit). The text names the operation, the record and what to do.
"""

from __future__ import annotations

from typing import Any, ClassVar

__all__ = [
    "ConflictError",
    "ConvexStorageError",
    "CorruptFileError",
    "DeadlineError",
    "DeploymentError",
    "FileBusyError",
    "FileUnavailableError",
    "ForeignFileError",
    "FunctionNotFoundError",
    "InvalidArgumentError",
    "InvalidPayloadError",
    "LimitExceededError",
    "MissingExtraError",
    "NewerFormatError",
    "NewerFunctionsError",
    "NotFoundError",
    "OlderFunctionsError",
    "ProjectError",
    "StorageClosedError",
    "StorageFileError",
    "UnauthenticatedError",
    "UnreachableError",
    "UnsupportedDomainError",
    "error_from_wire",
]


class ConvexStorageError(Exception):
    """The root of the tree: catch this to catch everything that the storage raises.

    `message` is the sentence alone; `operation`, set by the client, is the method that was called.
    """

    code: ClassVar[str] = "STORAGE_ERROR"

    def __init__(self, message: str, **data: Any) -> None:
        super().__init__(message)
        self.message = message
        self.data = data
        self.operation: str | None = None

    def __str__(self) -> str:
        return f"{self.operation}: {self.message}" if self.operation else self.message

    def to_wire(self) -> dict[str, Any]:
        """The `errorData` of a `ConvexError`: code, message and data (convex-protocol, 4.3)."""
        return {"code": self.code, "message": self.message, "data": self.data}


class InvalidArgumentError(ConvexStorageError, ValueError):
    """An argument has the wrong type, is missing, or is outside its range."""

    code = "INVALID_ARGUMENT"


class InvalidPayloadError(InvalidArgumentError):
    """A payload holds something that JSON cannot say; `data["path"]` tells where."""

    code = "INVALID_PAYLOAD"


class NotFoundError(ConvexStorageError):
    """The operation needs a record that does not exist."""

    code = "NOT_FOUND"


class ConflictError(ConvexStorageError):
    """The record exists, or has changed, in a way that forbids the operation."""

    code = "CONFLICT"


class LimitExceededError(ConvexStorageError):
    """More was asked for than one transaction may carry; nothing was written."""

    code = "LIMIT_EXCEEDED"


class UnauthenticatedError(ConvexStorageError):
    """The caller has no principal, or one that may not do this."""

    code = "UNAUTHENTICATED"


class FunctionNotFoundError(ConvexStorageError):
    """There is no function of that path and kind."""

    code = "FUNCTION_NOT_FOUND"


class UnsupportedDomainError(ConvexStorageError):
    """A domain of Mastra's storage that this one does not have; `data["domain"]` is its name."""

    code = "UNSUPPORTED_DOMAIN"


class StorageClosedError(ConvexStorageError):
    """The storage was closed before the call."""

    code = "STORAGE_CLOSED"


class StorageFileError(ConvexStorageError):
    """The database file cannot be used; `data["path"]` is the file."""

    code = "STORAGE_FILE"


class FileUnavailableError(StorageFileError):
    """The file or its folder cannot be opened, read or written."""

    code = "FILE_UNAVAILABLE"


class CorruptFileError(StorageFileError):
    """The file is damaged, or is no SQLite database."""

    code = "FILE_CORRUPT"


class ForeignFileError(StorageFileError):
    """The file is a SQLite database of another program."""

    code = "FILE_FOREIGN"


class NewerFormatError(StorageFileError):
    """The file was written by a newer version of this package."""

    code = "FILE_NEWER"


class FileBusyError(StorageFileError):
    """Another process has held the file's write lock for too long."""

    code = "FILE_BUSY"


class DeploymentError(ConvexStorageError):
    """A Convex deployment cannot be used; `data["url"]` is its address."""

    code = "DEPLOYMENT"


class UnreachableError(DeploymentError):
    """Nothing answers at the address, not in time, or not as Convex does."""

    code = "UNREACHABLE"


class DeadlineError(UnreachableError):
    """A call was not answered in time; `data["seconds"]` is how long it waited."""

    code = "DEADLINE"


class OlderFunctionsError(DeploymentError):
    """The functions that are deployed are older than this package."""

    code = "FUNCTIONS_OLDER"


class NewerFunctionsError(DeploymentError):
    """The functions that are deployed are newer than this package."""

    code = "FUNCTIONS_NEWER"


class ProjectError(ConvexStorageError):
    """The folder of a Convex project cannot be written as asked; `data["path"]` tells where."""

    code = "PROJECT"


class MissingExtraError(ConvexStorageError):
    """A package is not installed that this needs; `data["extra"]` is the extra that has it."""

    code = "MISSING_EXTRA"


def _tree(root: type[ConvexStorageError]) -> dict[str, type[ConvexStorageError]]:
    found = {root.code: root}
    for child in root.__subclasses__():
        found |= _tree(child)
    return found


_BY_CODE = _tree(ConvexStorageError)


def error_from_wire(wire: dict[str, Any]) -> ConvexStorageError:
    """The error that `to_wire` described; an unknown code gives the root class."""
    kind = _BY_CODE.get(wire.get("code", ""), ConvexStorageError)
    return kind(str(wire.get("message", "")), **wire.get("data") or {})
