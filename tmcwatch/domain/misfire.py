"""Why TMC does not start an execution, in the words that its documentation gives."""

from collections.abc import Mapping

from tmcwatch.domain.execution import Kind

UNKNOWN_REASON = "UNKNOWN"
"""Also what one counts as that gives no reason."""

MISFIRE_REASONS: Mapping[Kind, tuple[str, ...]] = {
    Kind.TASK: (
        "DATA_FABRIC_ARTIFACT_NOT_FOUND",
        "DE_ENV_NOT_CONNECTED",
        "DYNAMIC_ENGINE_UNAVAILABLE",
        "ELASTIC_ENGINE_CONTAINER_NOT_FOUND",
        "INCOMPATIBILITY_BETWEEN_ACTIONS_VERSIONS_AND_ENGINE",
        "MAX_DEPLOYMENT_ATTEMPTS_REACHED",
        "MAX_PARALLEL_TASKS_LIMIT_REACHED",
        "PARALLEL_EXECUTION_FORBIDDEN",
        "PIPELINE_ARTIFACT_NOT_FOUND",
        "PIPELINE_RUN_PROFILE_NOT_FOUND",
        "REMOTE_ENGINE_CONTAINER_NOT_FOUND",
        "REMOTE_ENGINE_UNAVAILABLE",
        "REMOTE_ENGINE_UNAVAILABLE_IN_CLUSTER",
        "TASK_IS_PAUSED",
        "UNABLE_TO_RETRIEVE_ARTIFACT_OR_TASK_MAVEN_URL",
        UNKNOWN_REASON,
    ),
    Kind.PLAN: (
        "PARALLEL_EXECUTIONS_FORBIDDEN",
        "PLAN_EXECUTIONS_PAUSED",
        "SIMULTANEOUS_EXECUTIONS_LIMIT_REACHED",
        UNKNOWN_REASON,
    ),
    Kind.PROMOTION: (),
}
"""What is counted from 0 in every workspace; TMC may come to give others."""
