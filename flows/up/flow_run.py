"""One flow run, in a process that ends with the worker that started it.

python -m flows.up.flow_run
"""

import os
import runpy
import signal
from uuid import UUID

from flows.orchestration.dead_runs import is_cancelled
from flows.up.parent import end_with_parent


def main() -> None:
    end_with_parent()
    # Whoever started the worker may ignore it; it is how a run is told to stop.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    if not is_cancelled(UUID(os.environ["PREFECT__FLOW_RUN_ID"])):
        runpy.run_module("prefect.engine", run_name="__main__", alter_sys=True)


if __name__ == "__main__":
    main()
