"""One flow run, in a process that ends with the worker that started it.

python -m flows.up.flow_run
"""

import runpy
import signal

from flows.up.parent import end_with_parent


def main() -> None:
    end_with_parent()
    # Whoever started the worker may ignore it; it is how a run is told to stop.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    runpy.run_module("prefect.engine", run_name="__main__", alter_sys=True)


if __name__ == "__main__":
    main()
