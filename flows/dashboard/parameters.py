"""What may stand in the addresses of pages and of the API."""

from typing import Annotated, Final

from fastapi import Path, Query

_MAX_PAGE: Final = 1_000_000
_TEXT: Final = r"^[^\x00-\x08\x0b\x0c\x0e-\x1f]*$"
"""No database takes all of the others."""

PageNumber = Annotated[int, Query(alias="page", ge=1, le=_MAX_PAGE, description="1-based")]
SourceName = Annotated[str, Path(max_length=100, pattern=_TEXT)]
OfSource = Annotated[str, Query(max_length=100, pattern=_TEXT, description="Only this source")]
Words = Annotated[str, Query(max_length=1_000, pattern=_TEXT)]
Id = Annotated[str, Path(max_length=64, pattern=r"^[0-9a-f]+$")]
Code = Annotated[str, Query(max_length=40, pattern=r"^[a-z_]*$", description="Only this reason")]
Group = Annotated[str, Query(max_length=12, pattern=r"^[0-9a-f]*$", description="Only this group")]
MaxResults = Annotated[int, Query(ge=1, le=100, description="How many at most")]
