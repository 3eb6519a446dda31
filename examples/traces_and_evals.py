"""Record what an agent did, step by step, and how well; then ask what went wrong.

    python examples/traces_and_evals.py

The "agent" computes, so this runs offline.
"""

from __future__ import annotations

import tempfile
from pathlib import Path

from mastra_convex import ConvexStorage

AGENT = "calculator"
TASKS = {"task-1": ("2 + 3", "5"), "task-2": ("7 * 6", "42"), "task-3": ("2 ** 3", "8")}


def run_agent(storage: ConvexStorage, task: str, question: str, expected: str) -> None:
    """One run: its workflow's state as it changes, a trace with its spans, and an eval."""
    run = {"workflowName": "calculate", "runId": f"run-{task}", "resourceId": "examples"}
    storage.save_workflow_run({**run, "snapshot": {"status": "running", "question": question}})

    left, operator, right = question.split()
    call = {"name": "tool", "attributes": {"tool": operator, "args": [left, right]}}
    numbers = int(left), int(right)
    result = {"+": sum(numbers), "*": numbers[0] * numbers[1]}.get(operator)
    storage.save_trace(
        {
            "id": f"trace-{task}",
            "runId": f"run-{task}",
            "name": f"agent run: {AGENT}",
            "spans": [{"name": "plan"}, {**call, "error": result is None}],
        }
    )

    status = "failed" if result is None else "success"
    storage.save_workflow_run({**run, "snapshot": {"status": status, "result": result}})
    storage.save_eval(
        {
            "id": f"eval-{task}",
            "agentName": AGENT,
            "type": "test",
            "runId": f"run-{task}",
            "data": {"score": float(str(result) == expected)},
        }
    )


def main(file: str) -> None:
    """Run the tasks while a watch keeps the score, then look for the failures."""
    with ConvexStorage(file) as storage, storage.watch_agent_evals(AGENT, "test") as evals:
        for task, (question, expected) in TASKS.items():
            run_agent(storage, task, question, expected)
            scores = [found.data["score"] for found in evals.next(timeout=10)]
            print(f"{question:>6}: {scores[0]:.0f}, {sum(scores) / len(scores):.0%} so far")

        failed = storage.list_workflow_runs(workflow_name="calculate", status="failed")
        print(f"{failed.total} of {storage.list_workflow_runs().total} runs failed:")
        for run in failed.runs:
            (trace,) = storage.get_traces(run_id=run.run_id).traces
            bad = next(span for span in trace.spans or [] if span.get("error"))
            print(f"  {run.run_id}: {bad['name']} {bad['attributes']}")


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as folder:
        main(str(Path(folder) / "evals.db"))
