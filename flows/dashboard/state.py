"""What all requests to one dashboard share."""

from dataclasses import dataclass
from pathlib import Path
from typing import cast

from fastapi import HTTPException, Request

from flows.dashboard.access import Access, User
from flows.dashboard.jobs import Jobs
from flows.dashboard.overview import Statuses
from flows.dashboard.stores import Stores


@dataclass(frozen=True, slots=True)
class Dashboard:
    """The parts of one dashboard."""

    stores: Stores
    statuses: Statuses
    jobs: Jobs
    access: Access
    config: Path | None
    """The settings file that reprocessing is to read; None for the one in the working directory."""


def dashboard_of(request: Request) -> Dashboard:
    return cast(Dashboard, request.app.state.dashboard)


def user_of(request: Request) -> User:
    """Whoever asks; the gate lets nobody else through.

    Raises:
        HTTPException: Nobody has signed in.
    """
    user: User | None = request.scope["state"].get("user")
    if user is None:
        raise HTTPException(401, "sign in first")
    return user
