"""Prefect's task runners for many machines, as the settings choose."""

from collections.abc import Sequence
from typing import Any

from prefect.task_runners import TaskRunner

from flows.errors import UsageError
from flows.settings import Settings


def task_runner(settings: Settings) -> TaskRunner[Any]:
    """The runner for batches that other processes are to do; a context.

    Raises:
        UsageError: The library is not installed.
    """
    make = {"dask": _dask, "ray": _ray}[settings.task_runner]
    try:
        return make(settings.task_runner_address)
    except ImportError as error:
        name = settings.task_runner
        said = f"task_runner = {name!r} needs pip install 'headwater[{name}]': {error}"
        raise UsageError(said) from error


def cancel(futures: Sequence[Any]) -> None:
    """Have no worker begin what has not begun."""
    for future in futures:
        wrapped = future.wrapped_future
        if hasattr(wrapped, "cancel"):
            wrapped.cancel()
        else:
            import ray

            ray.cancel(wrapped)


def _dask(address: str | None) -> TaskRunner[Any]:
    from prefect_dask import DaskTaskRunner

    return DaskTaskRunner(address=address)


def _ray(address: str | None) -> TaskRunner[Any]:
    from prefect_ray import RayTaskRunner

    runner: TaskRunner[Any] = RayTaskRunner(address=address)
    return runner
