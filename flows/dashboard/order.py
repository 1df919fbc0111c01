"""What the dashboard asks the process to do that reprocesses for it."""

import json
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, SecretStr


class Order(BaseModel):
    """Documents of the quarantine that are to be tried again, and how."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    ids: tuple[str, ...]
    """Of entries."""
    password: SecretStr | None = None
    """To be tried; kept nowhere."""
    parser: str | None = None
    """Read them with this parser, or as this media type."""
    timeout_s: Annotated[float, Field(gt=0, le=3600)] | None = None
    """What reading one may take, in place of what the settings say."""
    who: str
    config: str | None = None
    """The settings file."""
    state_dir: str
    wait_s: float = 3600
    """How long to wait for another process that writes."""

    def as_line(self) -> bytes:
        """With the password: only for the pipe to the process that needs it."""
        values = self.model_dump(mode="json")
        values["password"] = self.password.get_secret_value() if self.password else None
        return json.dumps(values).encode() + b"\n"
