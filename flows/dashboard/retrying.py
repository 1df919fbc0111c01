"""Reprocessing for the dashboard, in a process of its own.

    python -m flows.dashboard.retrying

The order comes as a line of JSON on standard input, where no list of processes shows a password;
what comes of it goes out as lines of JSON. It ends, as on Ctrl-C, when its standard input is
closed, and so when the dashboard does.
"""

import json
import os
import signal
import sys
import threading
from pathlib import Path
from typing import Any, TextIO

from flows.dashboard.order import Order
from flows.errors import UserError
from flows.orchestration.runtime import prefect_server
from flows.runs.progress import watching
from flows.settings import SettingsError
from index.embedding import ModelUnusable
from index.errors import StoreUnavailable


class Told:
    """Tells the dashboard how far a run is."""

    def __init__(self, channel: TextIO) -> None:
        self._channel = channel
        self._lock = threading.Lock()

    def planned(self, n_documents: int) -> None:
        self.tell(planned=n_documents)

    def documents_done(self, n: int) -> None:
        self.tell(done=n)

    def chunks_embedded(self, n: int) -> None:
        self.tell(embedded=n)

    def tell(self, **said: Any) -> None:
        with self._lock:
            self._channel.write(json.dumps(said) + "\n")
            self._channel.flush()


def main() -> None:
    """Do what the order says."""
    # Whatever a library prints is not for the dashboard.
    channel = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    order = Order.model_validate_json(sys.stdin.buffer.readline())
    threading.Thread(target=_end_with_parent, daemon=True).start()
    told = Told(channel)
    try:
        told.tell(reports=_reprocess(order, told))
    except KeyboardInterrupt:
        told.tell(error="interrupted")
    except (UserError, SettingsError, ModelUnusable) as error:
        told.tell(error=str(error))
    except StoreUnavailable as error:
        told.tell(error=f"{error.detail}. {error.remedy}")


def _end_with_parent() -> None:
    while os.read(0, 1024):
        pass
    os.kill(os.getpid(), signal.SIGINT)


def _reprocess(order: Order, told: Told) -> list[dict[str, Any]]:
    with prefect_server(Path(order.state_dir)):
        # Prefect reads its environment when it is imported.
        from flows.reprocess import given_passwords
        from flows.reprocess import reprocess as flow

        watching.set(told)
        given_passwords.set((order.password.get_secret_value(),) if order.password else ())
        limits = dict.fromkeys(("parse_timeout_s", "parse_cpu_s"), order.timeout_s or 0.0)
        return flow(
            order.ids,
            config=order.config,
            state=order.state_dir,
            parser=order.parser,
            limits=limits if order.timeout_s else None,
            who=order.who,
            wait_s=order.wait_s,
        )


if __name__ == "__main__":
    main()
