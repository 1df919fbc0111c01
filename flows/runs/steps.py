"""How Prefect is to run the tasks of a run."""

from typing import Any, Final

from prefect.cache_policies import NO_CACHE
from prefect.client.schemas.objects import State, TaskRun
from prefect.tasks import Task

from flows.runs.fetched import SourceUnreadable
from flows.runs.outages import RETRY_DELAYS_S, may_come_back


def _is_worldly(task: Task[Any, Any], run: TaskRun, state: State[Any]) -> bool:
    """Whether a task failed for a reason that may be gone when it is tried again."""
    try:
        state.result()
    except BaseException as error:  # noqa: BLE001
        return isinstance(error, SourceUnreadable) or may_come_back(error)
    return False


STEP: Final[dict[str, Any]] = {
    "retries": len(RETRY_DELAYS_S),
    "retry_delay_seconds": RETRY_DELAYS_S,
    "retry_condition_fn": _is_worldly,
    # What tasks are given can be neither hashed nor pickled, and a result is never reused.
    "cache_policy": NO_CACHE,
    "persist_result": False,
}
