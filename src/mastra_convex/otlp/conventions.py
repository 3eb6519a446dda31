"""Which attribute says what, in OpenTelemetry's GenAI conventions, OpenInference, OpenLLMetry.

Mastra's own exporter adds some, which begin with `mastra.`.

Of several names the first counts that is there. The twin of these tables is
`convex/lib/otlpConventions.ts`.
"""

from __future__ import annotations

from typing import Literal, NamedTuple

Kind = Literal["text", "number", "flag", "list", "first"]


class Row(NamedTuple):
    """A member of a span's attributes: its path, what it has to be, and where it is found.

    "list" is a list, or JSON text of one; "first" is the first text of such a list, or a text.
    """

    path: str
    kind: Kind
    names: tuple[str, ...]


MASTRA_TYPE = "mastra.span.type"
MASTRA_TYPES = frozenset(
    (
        *("agent_run", "scorer_run", "classifier_evaluation", "scorer_step"),
        *("generic", "model_generation", "model_step", "model_inference"),
        *("model_chunk", "mcp_tool_call", "mcp_server_request", "processor_run"),
        *("tool_call", "client_tool_call", "provider_tool_call", "workflow_run"),
        *(
            "workflow_step",
            "workflow_conditional",
            "workflow_conditional_eval",
            "workflow_parallel",
        ),
        *("workflow_loop", "workflow_sleep", "workflow_wait_event", "memory_operation"),
        *("workspace_action", "rag_ingestion", "rag_embedding", "rag_vector_operation"),
        *("rag_action", "graph_action", "mapping", "skill_resolution"),
        *("skill_action", "agent_signal"),
    )
)

OPERATION = "gen_ai.operation.name"
OPERATIONS = {
    "chat": "model_generation",
    "text_completion": "model_generation",
    "generate_content": "model_generation",
    "embeddings": "rag_embedding",
    "retrieval": "rag_vector_operation",
    "execute_tool": "tool_call",
    "invoke_agent": "agent_run",
    "invoke_workflow": "workflow_run",
    "agent_step": "model_step",
}
OPENINFERENCE_KIND = "openinference.span.kind"
# A chain is a workflow where it is a root, and a step of one below.
OPENINFERENCE_KINDS = {
    "LLM": "model_generation",
    "AGENT": "agent_run",
    "TOOL": "tool_call",
    "CHAIN": "workflow_step",
    "RETRIEVER": "rag_vector_operation",
    "EMBEDDING": "rag_embedding",
    "RERANKER": "rag_action",
    "GUARDRAIL": "processor_run",
    "EVALUATOR": "scorer_run",
}
TRACELOOP_KIND = "traceloop.span.kind"
TRACELOOP_KINDS = {
    "workflow": "workflow_run",
    "task": "workflow_step",
    "agent": "agent_run",
    "tool": "tool_call",
}
REQUEST_TYPE = "llm.request.type"
REQUEST_TYPES = {
    "chat": "model_generation",
    "completion": "model_generation",
    "embedding": "rag_embedding",
    "rerank": "rag_action",
}
MCP_METHOD = "mcp.method.name"
MODEL_NAMES = ("gen_ai.request.model", "llm.request.model_name", "llm.model_name")
DATABASE_NAMES = ("db.system.name", "db.system")
VECTOR_DATABASES = frozenset(
    ("chroma", "chromadb", "lancedb", "marqo", "milvus", "pinecone", "qdrant", "weaviate")
)

MODEL_TYPES = frozenset(("model_generation", "model_inference", "model_step", "rag_embedding"))
_PARAMETER = "gen_ai.request."
_USAGE = "gen_ai.usage."
_COUNT = "llm.token_count."
MODEL_ROWS = (
    Row("model", "text", (*MODEL_NAMES, "embedding.model_name")),
    Row(
        "provider", "text", ("gen_ai.provider.name", "gen_ai.system", "llm.provider", "llm.system")
    ),
    Row("responseModel", "text", ("gen_ai.response.model", "llm.response.model_name")),
    Row("responseId", "text", ("gen_ai.response.id",)),
    Row(
        "finishReason",
        "first",
        (
            "gen_ai.response.finish_reasons",
            "gen_ai.response.finish_reason",
            "llm.finish_reason",
            "llm.response.finish_reason",
            "llm.response.stop_reason",
        ),
    ),
    Row("streaming", "flag", ("gen_ai.request.stream", "gen_ai.is_streaming", "llm.is_streaming")),
    Row("completionStartTime", "text", ("mastra.completion_start_time",)),
    Row("serverAddress", "text", ("server.address",)),
    Row("serverPort", "number", ("server.port",)),
    Row(
        "parameters.maxOutputTokens",
        "number",
        (f"{_PARAMETER}max_tokens", f"{_PARAMETER}max_completion_tokens"),
    ),
    Row("parameters.temperature", "number", (f"{_PARAMETER}temperature",)),
    Row("parameters.topP", "number", (f"{_PARAMETER}top_p",)),
    Row("parameters.topK", "number", (f"{_PARAMETER}top_k", "llm.top_k")),
    Row(
        "parameters.presencePenalty",
        "number",
        (f"{_PARAMETER}presence_penalty", "llm.presence_penalty"),
    ),
    Row(
        "parameters.frequencyPenalty",
        "number",
        (f"{_PARAMETER}frequency_penalty", "llm.frequency_penalty"),
    ),
    Row(
        "parameters.stopSequences",
        "list",
        (f"{_PARAMETER}stop_sequences", "llm.chat.stop_sequences"),
    ),
    Row("parameters.seed", "number", (f"{_PARAMETER}seed", "gen_ai.openai.request.seed")),
    Row(
        "usage.inputTokens",
        "number",
        (f"{_USAGE}input_tokens", f"{_USAGE}prompt_tokens", f"{_COUNT}prompt"),
    ),
    Row(
        "usage.outputTokens",
        "number",
        (f"{_USAGE}output_tokens", f"{_USAGE}completion_tokens", f"{_COUNT}completion"),
    ),
    Row(
        "usage.inputDetails.cacheRead",
        "number",
        (
            f"{_USAGE}cache_read.input_tokens",
            f"{_USAGE}cache_read_input_tokens",
            f"{_COUNT}prompt_details.cache_read",
            f"{_COUNT}prompt_details.cache_input",
        ),
    ),
    Row(
        "usage.inputDetails.cacheWrite",
        "number",
        (
            f"{_USAGE}cache_creation.input_tokens",
            f"{_USAGE}cache_creation_input_tokens",
            f"{_COUNT}prompt_details.cache_write",
        ),
    ),
    Row("usage.inputDetails.cacheWrite5m", "number", (f"{_USAGE}cache_creation.5m_input_tokens",)),
    Row("usage.inputDetails.cacheWrite1h", "number", (f"{_USAGE}cache_creation.1h_input_tokens",)),
    Row(
        "usage.inputDetails.audio",
        "number",
        (f"{_USAGE}audio_input_tokens", f"{_COUNT}prompt_details.audio"),
    ),
    Row(
        "usage.outputDetails.reasoning",
        "number",
        (
            f"{_USAGE}reasoning.output_tokens",
            f"{_USAGE}reasoning_tokens",
            "llm.usage.reasoning_tokens",
            f"{_COUNT}completion_details.reasoning",
        ),
    ),
    Row(
        "usage.outputDetails.audio",
        "number",
        (f"{_USAGE}audio_output_tokens", f"{_COUNT}completion_details.audio"),
    ),
    Row("costContext.estimatedCost", "number", (f"{_USAGE}cost", "llm.cost.total")),
)
# OpenInference has all parameters in one attribute, named as the provider names them.
INVOCATION = "llm.invocation_parameters"
INVOCATION_PARAMETERS = {
    "max_tokens": "maxOutputTokens",
    "max_completion_tokens": "maxOutputTokens",
    "temperature": "temperature",
    "top_p": "topP",
    "top_k": "topK",
    "presence_penalty": "presencePenalty",
    "frequency_penalty": "frequencyPenalty",
    "stop": "stopSequences",
    "seed": "seed",
}
# Those that know a cost give it in this.
COST_UNIT = "USD"

_TOOL_ROWS = (
    Row("toolType", "text", ("gen_ai.tool.type",)),
    Row("toolDescription", "text", ("gen_ai.tool.description", "tool.description")),
    Row("toolCallId", "text", ("gen_ai.tool.call.id", "tool.id")),
)
ROWS: dict[str, tuple[Row, ...]] = {
    **dict.fromkeys(sorted(MODEL_TYPES), MODEL_ROWS),
    **dict.fromkeys(("tool_call", "client_tool_call", "provider_tool_call"), _TOOL_ROWS),
    "mcp_tool_call": (
        *_TOOL_ROWS,
        Row("mcpServer", "text", ("mastra.mcp_tool_call.server_name", "server.address")),
    ),
    "mcp_server_request": (
        Row("mcpMethod", "text", (MCP_METHOD,)),
        Row(
            "targetName",
            "text",
            ("gen_ai.tool.name", "mcp.tool.name", "mcp.resource.uri", "gen_ai.prompt.name"),
        ),
        Row("mcpServer", "text", ("mastra.mcp_server_request.server_name",)),
        Row("mcpProtocolVersion", "text", ("mcp.protocol.version",)),
    ),
    "agent_run": (
        Row("conversationId", "text", ("gen_ai.conversation.id",)),
        Row("instructions", "text", ("gen_ai.system_instructions",)),
    ),
}


class Entity(NamedTuple):
    """What did the work in a span: its type, and where its id, name and version are found."""

    type: str
    ids: tuple[str, ...]
    names: tuple[str, ...]
    versions: tuple[str, ...] = ()


_TRACELOOP_NAME, _TRACELOOP_VERSION = "traceloop.entity.name", "traceloop.entity.version"
_AGENT_NAMES = ("gen_ai.agent.name", "agent.name")
_AGENT = Entity("agent", ("gen_ai.agent.id",), _AGENT_NAMES, ("gen_ai.agent.version",))
_TOOL = Entity("tool", (), ("gen_ai.tool.name", "tool.name", "mcp.tool.name", _TRACELOOP_NAME))
ENTITIES = {
    **dict.fromkeys(sorted(MODEL_TYPES), _AGENT),
    **dict.fromkeys(
        ("tool_call", "client_tool_call", "provider_tool_call", "mcp_tool_call"), _TOOL
    ),
    "agent_run": Entity(
        "agent",
        ("gen_ai.agent.id",),
        (*_AGENT_NAMES, _TRACELOOP_NAME),
        ("gen_ai.agent.version", _TRACELOOP_VERSION),
    ),
    "workflow_run": Entity(
        "workflow_run",
        (),
        ("gen_ai.workflow.name", "traceloop.workflow.name", _TRACELOOP_NAME),
        (_TRACELOOP_VERSION,),
    ),
    "workflow_step": Entity(
        "workflow_step",
        ("mastra.workflow_step.step_id", "graph.node.id"),
        ("graph.node.name", _TRACELOOP_NAME),
    ),
    "mcp_server_request": Entity("mcp_server", (), ("mastra.mcp_server_request.server_name",)),
}

METADATA_PREFIX = "mastra.metadata."
PROPERTIES_PREFIX = "traceloop.association.properties."
# Fields of a span by what joins it to the rest, and where each is found.
IDS: dict[str, tuple[str, ...]] = {
    "threadId": (
        f"{METADATA_PREFIX}threadId",
        "gen_ai.conversation.id",
        f"{PROPERTIES_PREFIX}thread_id",
    ),
    "resourceId": (f"{METADATA_PREFIX}resourceId", f"{PROPERTIES_PREFIX}resource_id"),
    "messageId": (f"{METADATA_PREFIX}messageId",),
    "runId": (f"{METADATA_PREFIX}runId",),
    "sessionId": (f"{METADATA_PREFIX}sessionId", "session.id", f"{PROPERTIES_PREFIX}session_id"),
    "userId": (
        f"{METADATA_PREFIX}userId",
        "user.id",
        "enduser.id",
        "gen_ai.user",
        "llm.user",
        f"{PROPERTIES_PREFIX}user_id",
    ),
    "organizationId": (f"{METADATA_PREFIX}organizationId",),
    "requestId": (f"{METADATA_PREFIX}requestId",),
    "experimentId": (f"{METADATA_PREFIX}experimentId",),
}
RESOURCE_IDS: dict[str, tuple[str, ...]] = {
    "serviceName": ("service.name",),
    "environment": ("deployment.environment.name", "deployment.environment"),
}
METADATA = "metadata"
TAGS = ("tag.tags", "mastra.tags")

# Messages in attributes of their own, one for each member: `llm.input_messages.0.message.role`.
# What is told by one of these is there; "message" stands around each.
INPUT_FAMILIES = (("llm.input_messages", "message"), ("gen_ai.prompt", ""))
OUTPUT_FAMILIES = (("llm.output_messages", "message"), ("gen_ai.completion", ""))
INPUT_FIRST = ("gen_ai.input.messages", "gen_ai.tool.call.arguments")
INPUT_THEN = (
    "input.value",
    "traceloop.entity.input",
    "mcp.request.argument",
    "gen_ai.retrieval.query.text",
    "gen_ai.prompt",
)
OUTPUT_FIRST = ("gen_ai.output.messages", "gen_ai.tool.call.result")
OUTPUT_THEN = (
    "output.value",
    "traceloop.entity.output",
    "mcp.response.value",
    "gen_ai.retrieval.documents",
    "gen_ai.completion",
)
# Names that `mastra.<type>.` stands before and that are told otherwise.
TOLD_OTHERWISE = frozenset(("input", "output", "step_id", "server_name"))
