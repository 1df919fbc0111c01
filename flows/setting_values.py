"""What all settings are made of."""

import re
from datetime import timedelta
from typing import Annotated, Final

from pydantic import BaseModel, BeforeValidator, ConfigDict

UNITS: Final = {"s": 1, "m": 60, "h": 3600, "d": 86400, "w": 604800}
_DURATION: Final = re.compile(r"(\d+)\s*([smhdw])")


class Strict(BaseModel):
    """A table of settings: a key that it does not know is an error."""

    model_config = ConfigDict(extra="forbid", frozen=True)


def _duration(value: object) -> object:
    if isinstance(value, str):
        match = _DURATION.fullmatch(value.strip())
        if match is None:
            raise ValueError("a number and a unit, one of s, m, h, d, w: 90s, 2h, 1d")
        return timedelta(seconds=int(match.group(1)) * UNITS[match.group(2)])
    if isinstance(value, timedelta):
        return value
    raise ValueError('a number and a unit in quotes: "90s", "2h", "1d"')


Duration = Annotated[timedelta, BeforeValidator(_duration)]
