"""A Prefect server that ends with the process that started it: for one command, or lasting.

Prefect can start a temporary server itself; that one prints tracebacks when it is stopped, gives
up after 20 s on a busy machine, and lives on when its parent is killed. This one writes to a log
file, and ends when the pipe on its standard input is closed, however that comes about.

    python -m flows.orchestration.server SOCKET_FD [lasting]
"""

import os
import sys
import threading

import uvicorn


def main() -> None:
    if sys.argv[2:] != ["lasting"]:
        # No user interface, no schedulers, no loops that outlive the command.
        os.environ["PREFECT__SERVER_EPHEMERAL"] = "1"
    os.environ["PREFECT__SERVER_FINAL"] = "1"
    config = uvicorn.Config(
        "prefect.server.api.server:create_app",
        factory=True,
        fd=int(sys.argv[1]),
        log_level="error",
        lifespan="on",
        timeout_graceful_shutdown=2,
    )
    threading.Thread(target=_end_with_parent, daemon=True).start()
    uvicorn.Server(config).run()


def _end_with_parent() -> None:
    while os.read(0, 1024):
        pass
    # Nothing is worth a graceful end: what clients were told is committed.
    os._exit(0)


if __name__ == "__main__":
    main()
