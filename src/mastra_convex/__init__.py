"""Convex storage for Mastra, in Python: one reactive store for what AI agents leave behind."""

from mastra_convex._async.storage import AsyncConvexStorage
from mastra_convex._async.subscription import AsyncWatch
from mastra_convex._sync.storage import ConvexStorage
from mastra_convex._sync.subscription import Watch
from mastra_convex._version import __version__
from mastra_convex.errors import (
    ConflictError,
    ConvexStorageError,
    CorruptFileError,
    FileBusyError,
    FileUnavailableError,
    ForeignFileError,
    FunctionNotFoundError,
    InvalidArgumentError,
    InvalidPayloadError,
    LimitExceededError,
    NewerFormatError,
    NotFoundError,
    StorageClosedError,
    StorageFileError,
    UnauthenticatedError,
)
from mastra_convex.models import (
    Eval,
    EvalPage,
    Message,
    MessagePage,
    Resource,
    TableStatistics,
    Thread,
    ThreadPage,
    Trace,
    TracePage,
    WorkflowRun,
    WorkflowRunPage,
)

__all__ = [
    "AsyncConvexStorage",
    "AsyncWatch",
    "ConflictError",
    "ConvexStorage",
    "ConvexStorageError",
    "CorruptFileError",
    "Eval",
    "EvalPage",
    "FileBusyError",
    "FileUnavailableError",
    "ForeignFileError",
    "FunctionNotFoundError",
    "InvalidArgumentError",
    "InvalidPayloadError",
    "LimitExceededError",
    "Message",
    "MessagePage",
    "NewerFormatError",
    "NotFoundError",
    "Resource",
    "StorageClosedError",
    "StorageFileError",
    "TableStatistics",
    "Thread",
    "ThreadPage",
    "Trace",
    "TracePage",
    "UnauthenticatedError",
    "Watch",
    "WorkflowRun",
    "WorkflowRunPage",
    "__version__",
]
