"""Our storage behind Mastra's method names, for workflows and scores, and the choices that differ.

What a method here takes and gives is what Mastra's takes and gives, as JSON with dates in
milliseconds. The functions under "Choices" are where the two are allowed to differ, each by its
name; docs/internals/decisions.md has the reasons.
"""

from typing import Any

from mastra_convex import ConvexStorage, ScorePage, WorkflowRun

Doc = dict[str, Any]


class OurWorkflows:
    """Mastra's workflows domain on a `ConvexStorage`."""

    def __init__(self, storage: ConvexStorage) -> None:
        self.storage = storage

    def persistWorkflowSnapshot(
        self,
        workflowName: str,
        runId: str,
        snapshot: Any,
        resourceId: str | None = None,
        createdAt: float | None = None,
        updatedAt: float | None = None,
    ) -> None:
        self.storage.persist_workflow_snapshot(
            workflowName,
            runId,
            snapshot,
            resource_id=resourceId,
            created_at=createdAt,
            updated_at=updatedAt,
        )

    def loadWorkflowSnapshot(self, workflowName: str, runId: str) -> Any:
        return self.storage.load_workflow_snapshot(workflowName, runId)

    def updateWorkflowResults(
        self, workflowName: str, runId: str, stepId: str, result: Any, requestContext: Doc
    ) -> Doc:
        update = self.storage.update_workflow_results
        return update(workflowName, runId, stepId, result, requestContext)

    def updateWorkflowState(self, workflowName: str, runId: str, opts: Doc) -> Any:
        return self.storage.update_workflow_state(workflowName, runId, opts)

    def listWorkflowRuns(
        self,
        workflowName: str | None = None,
        resourceId: str | None = None,
        threadId: str | None = None,
        status: str | None = None,
        fromDate: float | None = None,
        toDate: float | None = None,
        page: int = 0,
        perPage: int | bool = False,
    ) -> Doc:
        found = self.storage.list_workflow_runs(
            workflow_name=workflowName,
            resource_id=resourceId,
            thread_id=threadId,
            status=status,
            from_date=fromDate,
            to_date=toDate,
            page=page,
            per_page=perPage,
        )
        return {"runs": [_run(each) for each in found.runs], "total": found.total}

    def getWorkflowRunById(self, runId: str, workflowName: str | None = None) -> Any:
        found = self.storage.get_workflow_run_by_id(runId, workflowName)
        return None if found is None else _run(found)

    def deleteWorkflowRunById(self, runId: str, workflowName: str) -> None:
        self.storage.delete_workflow_run_by_id(runId, workflowName)


class OurScores:
    """Mastra's scores domain on a `ConvexStorage`."""

    def __init__(self, storage: ConvexStorage) -> None:
        self.storage = storage

    def saveScore(self, **score: Any) -> Doc:
        return {"score": self.storage.save_score(score).to_dict()}

    def getScoreById(self, id: str) -> Any:
        found = self.storage.get_score_by_id(id)
        return None if found is None else found.to_dict()

    def listScoresByScorerId(
        self,
        scorerId: str,
        entityId: str | None = None,
        entityType: str | None = None,
        source: str | None = None,
        **how: Any,
    ) -> Doc:
        by_scorer = self.storage.list_scores_by_scorer_id
        which = {"entity_id": entityId, "entity_type": entityType, "source": source}
        return _scores(by_scorer(scorerId, **which, **how))  # type: ignore[arg-type]

    def listScoresByRunId(self, runId: str, **how: Any) -> Doc:
        return _scores(self.storage.list_scores_by_run_id(runId, **how))

    def listScoresByEntityId(self, entityId: str, entityType: str, **how: Any) -> Doc:
        return _scores(self.storage.list_scores_by_entity_id(entityId, entityType, **how))

    def listScoresBySpan(self, traceId: str, spanId: str, **how: Any) -> Doc:
        return _scores(self.storage.list_scores_by_span(traceId, spanId, **how))


def _run(run: WorkflowRun) -> Doc:
    wire = run.to_dict()
    names = {"workflowName": "workflowName", "id": "runId", "resourceId": "resourceId"}
    names |= {"state": "snapshot", "createdAt": "createdAt", "updatedAt": "updatedAt"}
    return {theirs: wire[ours] for ours, theirs in names.items() if ours in wire}


def _scores(page: ScorePage) -> Doc:
    return {"scores": [each.to_dict() for each in page.scores], "pagination": page.pagination}


# Choices


def merges_move_on(answer: Any) -> Any:
    """Merging into a snapshot moves `updatedAt` of the run; memory leaves it."""
    runs = answer["runs"] if isinstance(answer, dict) and "runs" in answer else [answer]
    for run in runs:
        if isinstance(run, dict):
            run.pop("updatedAt", None)
    return answer


def no_joined_names(answer: Any) -> Any:
    """Memory leaves its column names on a run."""
    runs = answer["runs"] if isinstance(answer, dict) and "runs" in answer else [answer]
    for run in runs:
        if isinstance(run, dict):
            run.pop("workflow_name", None)
            run.pop("run_id", None)
    return answer


def newest_first(answer: Any) -> Any:
    """All lists of scores are newest first; memory has two in the order of insertion.

    Lists that are compared with it are whole: then the order is all that differs.
    """
    answer["scores"].sort(key=lambda score: score["createdAt"], reverse=True)
    return answer
