"""Errors that a user of the command line is told in one line."""

from flows.runs.fetched import SourceUnreadable
from flows.runs.report import RunReport
from index.errors import StoreUnavailable


class UserError(Exception):
    """Something that the user can mend; the message says what, and how."""


class UsageError(UserError):
    """The arguments or settings are wrong."""


class LeaseHeld(UserError):
    """Another process writes to the same state directory."""


class CheckFailed(UserError):
    """A source as a whole is not as it should be; the message names the number."""


class NotErased(UserError):
    """What was to be erased was found when everything was read back."""


class Interrupted(Exception):
    """The run was told to stop."""


class RunFailed(UserError):
    """A run ended as `failed` or `interrupted`."""

    def __init__(self, report: RunReport) -> None:
        super().__init__(report.error)
        self.report = report

    @property
    def is_defect(self) -> bool:
        """Whether what ended the run is neither the world's fault nor the user's wish."""
        known = (StoreUnavailable, SourceUnreadable, UserError, Interrupted, KeyboardInterrupt)
        return self.__cause__ is not None and not isinstance(self.__cause__, known)
