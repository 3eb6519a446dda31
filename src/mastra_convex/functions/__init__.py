"""The functions: what a deployment has in `convex/`, in Python, file by file and name by name."""

from __future__ import annotations

from mastra_convex.engine.registry import Registry
from mastra_convex.functions import (
    background_tasks,
    channels,
    discovery,
    evals,
    feedback,
    logs,
    messages,
    metrics,
    observational_memory,
    resources,
    schedules,
    score_events,
    scores,
    spans,
    system,
    threads,
    traces,
    workflow_runs,
)
from mastra_convex.functions.mastra import cache, storage
from mastra_convex.functions.schema import schema

registry = Registry(
    [
        *(threads, messages, resources, traces, spans, evals, workflow_runs),
        *(logs, metrics, score_events, feedback, discovery),
        *(observational_memory, scores, schedules, background_tasks, channels),
        *(system, storage, cache),
    ],
    root=__name__,
)

__all__ = ["registry", "schema"]
