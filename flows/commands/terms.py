"""What the commands have in common: options, output, and how errors are told."""

import json
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any

import typer

Config = Annotated[
    Path | None,
    typer.Option("--config", help="Settings file.  [default: headwater.toml, if there is one]"),
]
State = Annotated[
    Path | None,
    typer.Option("--state", help="State directory, in place of the one in the settings."),
]
AsJson = Annotated[bool, typer.Option("--json", help="One JSON object a line.")]

AsOf = Annotated[
    str | None,
    typer.Option("--as-of", metavar="TIME", help="As it was then: 2026-10-31, 2026-10-31T12:00Z."),
]
Wait = Annotated[
    float, typer.Option("--wait", min=0, metavar="SECONDS", help="For another process to end.")
]

FAILED = 1
USAGE = 2
QUARANTINED = 3
INTERRUPTED = 130


def settings_with_state(config: Path | None, state: Path | None) -> Any:
    """The settings, for commands that read what a run has left."""
    from flows.errors import UserError
    from flows.settings import load_settings
    from flows.wiring import has_state

    settings = load_settings(config, state)
    if not has_state(settings):
        raise UserError(
            f"nothing has been ingested into {settings.state_dir} yet: headwater ingest FOLDER"
        )
    return settings


def moment_of(written: str | None) -> datetime | None:
    """A time as a user writes it; local time unless it says otherwise."""
    from flows.errors import UsageError

    if written is None:
        return None
    try:
        return datetime.fromisoformat(written).astimezone(UTC)
    except ValueError:
        raise UsageError(
            f"--as-of {written}: a date or a time, 2026-10-31 or 2026-10-31T12:00+01:00"
        ) from None


def user() -> str:
    """Who gives the command, for the records."""
    import getpass
    import socket

    return f"{getpass.getuser()}@{socket.gethostname()}"


def print_json(value: Mapping[str, Any]) -> None:
    sys.stdout.write(json.dumps(value, ensure_ascii=False) + "\n")
    sys.stdout.flush()


@contextmanager
def told_in_one_line() -> Iterator[None]:
    """Say what a user can mend in one line, and exit as the design says."""
    from flows.errors import UsageError, UserError
    from flows.settings import SettingsError
    from index.embedding import ModelUnusable
    from index.errors import StoreUnavailable

    try:
        yield
    except (UsageError, SettingsError, ModelUnusable) as error:
        _stop(str(error), USAGE)
    except StoreUnavailable as error:
        _stop(f"{error.detail}. {error.remedy}", FAILED)
    except UserError as error:
        _stop(str(error), FAILED)
    except BrokenPipeError:
        # Whoever read our output has enough; do not trip over it again at exit.
        sys.stdout = None
    except OSError as error:
        _stop(f"{error.filename or ''}: {error.strerror}".lstrip(": "), FAILED)
    except KeyboardInterrupt:
        _stop("interrupted", INTERRUPTED)


def _stop(message: str, status: int) -> None:
    sys.stderr.write(f"headwater: {message}\n")
    raise typer.Exit(status)
