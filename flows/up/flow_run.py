"""One flow run, in a process that ends with the worker that started it.

python -m flows.up.flow_run
"""

import os
import runpy
import signal
from uuid import UUID

from flows.up.parent import end_with_parent


def main() -> None:
    end_with_parent()
    # Whoever started the worker may ignore it; it is how a run is told to stop.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    if not _is_cancelled():
        runpy.run_module("prefect.engine", run_name="__main__", alter_sys=True)


def _is_cancelled() -> bool:
    """Whether the run was cancelled since a worker took it on.

    Prefect would run it all the same, without the lease that it lost, and fail halfway.
    """
    from prefect.client.orchestration import get_client

    with get_client(sync_client=True) as client:
        state = client.read_flow_run(UUID(os.environ["PREFECT__FLOW_RUN_ID"])).state
    return state is not None and state.is_cancelled()


if __name__ == "__main__":
    main()
