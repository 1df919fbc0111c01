"""What all commands share: their options, their exit status, errors in one line, JSON lines."""

import json
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any, Final

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

FAILED: Final = 1
USAGE: Final = 2
QUARANTINED: Final = 3
INTERRUPTED: Final = 130


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
