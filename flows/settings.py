"""Settings: `headwater.toml`, each value overridable by the environment (`HEADWATER_…`)."""

import os
import tomllib
from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path
from typing import Annotated, Any, Final, Literal

from fsspec import available_protocols
from pydantic import Field, ValidationError
from pydantic_settings import (
    BaseSettings,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
    TomlConfigSettingsSource,
)

from flows.alerts.delivery import is_understood
from flows.alerts.settings import AlertSettings
from flows.dashboard.settings import DashboardSettings
from flows.metadata.settings import faults
from flows.runs.secrecy import holds_secret
from flows.setting_values import Duration, Strict
from flows.source_settings import SourceSettings
from flows.up.settings import ScheduleSettings, UpSettings
from index.chunking import ChunkerSettings
from index.embedding import DEFAULT_MODEL
from parsers.contract import Limits, ParseOptions

DEFAULT_FILE: Final = Path("headwater.toml")
_WRITABLE: Final = frozenset(available_protocols()) - {"http", "https"}
"""What a URL of texts may begin with."""
_SHOWN_OF_ALERTS: Final = ("min_severity", "repeat_after", "max_quarantined_share")
"""Settings of alerts whose wrong value may be shown; others may hold a URL, and so a secret."""


class SettingsError(Exception):
    """A setting is wrong; the message names the key, the value and what is allowed."""


class LimitSettings(Strict):
    """What reading one document may cost."""

    parse_timeout_s: Annotated[float, Field(gt=0, le=3600)] = 60
    parse_cpu_s: Annotated[float, Field(gt=0, le=3600)] = 60
    parse_memory_mib: Annotated[int, Field(ge=256)] = 2048
    max_file_mib: Annotated[int, Field(ge=1, le=4096)] = 200
    max_pages: Annotated[int, Field(ge=1)] = 5_000
    max_unpacked_mib: Annotated[int, Field(ge=1)] = 512
    workers: Annotated[int, Field(ge=1, le=64)] = Field(
        default_factory=lambda: min(4, os.cpu_count() or 1)
    )
    """Documents that are parsed side by side."""

    @property
    def limits(self) -> Limits:
        return Limits(
            timeout_s=self.parse_timeout_s,
            cpu_s=self.parse_cpu_s,
            memory_mib=self.parse_memory_mib,
            max_file_mib=self.max_file_mib,
        )


class TraceSettings(Strict):
    """Where traces of runs go."""

    endpoint: str | None = None
    """An OpenTelemetry collector that takes OTLP over gRPC, `http://HOST:4317`. None are made if
    neither this nor `OTEL_EXPORTER_OTLP_ENDPOINT` is set."""


class RetentionSettings(Strict):
    """How long the past is kept."""

    history: Duration = timedelta(days=90)
    """What ceased to be searchable longer ago is no longer known to `--as-of`."""


class IndexSettings(Strict):
    """What documents are made into."""

    model: str = DEFAULT_MODEL
    """A sentence-transformers model: a name or a folder."""
    backend: Literal["auto", "torch", "onnx"] = "auto"
    """What runs it: PyTorch, ONNX Runtime in eight bits, or whichever is faster on the machine that
    makes the index."""
    chunk_tokens: Annotated[int, Field(ge=32, le=8192)] = 160

    @property
    def chunker(self) -> ChunkerSettings:
        return ChunkerSettings(target_tokens=self.chunk_tokens)


class Settings(BaseSettings):
    """All settings. Paths are relative to the file that they stand in."""

    model_config = SettingsConfigDict(
        env_prefix="HEADWATER_", env_nested_delimiter="__", extra="forbid", frozen=True
    )

    state_dir: Path = Path(".headwater")
    """Everything that is kept, but for what the next three place elsewhere."""
    catalog_url: str | None = None
    """`postgresql+psycopg://…`; a SQLite file in the state directory if it is not set."""
    vectors_url: str | None = None
    """A Chroma server, `http://HOST:PORT`; a folder in the state directory if it is not set."""
    texts_url: str | None = None
    """An fsspec URL, `s3://BUCKET/PREFIX`; a folder in the state directory if it is not set."""
    store_timeout: Duration = timedelta(minutes=2)
    """How long a store may take for one answer."""
    task_runner: Literal["threads", "dask", "ray"] = "threads"
    """What batches of documents are run by: threads of the run, or other processes."""
    task_runner_address: str | None = None
    """Of a Dask scheduler, `tcp://HOST:8786`, or a Ray cluster, `ray://HOST:10001`; one is started
    for the run if it is not set."""
    embed_at_once: Annotated[int, Field(ge=1)] | None = None
    """Batches that all runs of one Prefect server may embed at once; any number if None."""
    sources: tuple[SourceSettings, ...] = ()
    limits: LimitSettings = Field(default_factory=LimitSettings)
    index: IndexSettings = IndexSettings()
    alerts: AlertSettings = AlertSettings()
    schedules: ScheduleSettings = ScheduleSettings()
    up: UpSettings = UpSettings()
    dashboard: DashboardSettings = DashboardSettings()
    retention: RetentionSettings = RetentionSettings()
    traces: TraceSettings = TraceSettings()

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Values given in code come first, then the environment, then the file."""
        return init_settings, env_settings, TomlConfigSettingsSource(settings_cls)

    @property
    def store_timeout_s(self) -> float:
        return self.store_timeout.total_seconds()

    def parse_options(self, source: SourceSettings) -> ParseOptions:
        """What parsers are told about documents of a source."""
        return ParseOptions(
            max_pages=self.limits.max_pages,
            max_unpacked_mib=self.limits.max_unpacked_mib,
            open_archives=source.open_archives,
            include_hidden=source.include_hidden,
            include_bots=source.include_bots,
            include_private=source.include_private,
        )

    def source(self, name: str) -> SourceSettings | None:
        return next((source for source in self.sources if source.name == name), None)


def load_settings(config: Path | None = None, state_dir: Path | None = None) -> Settings:
    """Read the settings.

    Args:
        config: A TOML file; `headwater.toml` in this folder if None, and if that is there.
        state_dir: In place of the one in the file and the environment.

    Raises:
        SettingsError: The file is missing or no TOML, or a value in it is wrong.
    """
    file = config or DEFAULT_FILE
    if config is not None and not config.is_file():
        raise SettingsError(f"there is no file {config}")
    given: dict[str, Any] = {"state_dir": state_dir} if state_dir else {}

    class FromFile(Settings):
        model_config = SettingsConfigDict(toml_file=file)

    try:
        settings = FromFile(**given)
    except tomllib.TOMLDecodeError as error:
        raise SettingsError(f"{file} is not TOML: {error}") from error
    except ValidationError as error:
        raise SettingsError(_in_words(error, file)) from error
    _require_unique_names(settings)
    _require_no_secrets(settings, file)
    _require_writable_texts(settings, file)
    _require_passwords(settings, file)
    _require_targets(settings, file)
    _require_usable_metadata(settings, file)
    return _anchored(settings, file.parent, state_given=state_dir is not None)


def with_limits(settings: Settings, limits: Mapping[str, float]) -> Settings:
    """The same settings with other values in `[limits]`.

    Raises:
        SettingsError: There is no such limit, or the value is wrong.
    """
    try:
        changed = LimitSettings(**{**settings.limits.model_dump(), **limits})
    except ValidationError as error:
        raise SettingsError(_in_words(error, Path("limits"))) from error
    return settings.model_copy(update={"limits": changed})


def with_backend(settings: Settings, backend: str | None) -> Settings:
    """The same settings with another backend of the model, if one is given."""
    if backend is None:
        return settings
    index = IndexSettings(**{**settings.index.model_dump(), "backend": backend})
    return settings.model_copy(update={"index": index})


def _in_words(error: ValidationError, file: Path) -> str:
    first = error.errors()[0]
    key = ".".join(str(part) for part in first["loc"])
    if first["type"] == "extra_forbidden":
        return f"{file}: there is no setting {key}"
    message = first["msg"].removeprefix("Value error, ")
    hidden = key.startswith("alerts") and first["loc"][-1] not in _SHOWN_OF_ALERTS
    if hidden or key.endswith("heartbeat_url"):
        return f"{file}: {key} is wrong: {message}"
    return f"{file}: {key} = {first['input']!r} is wrong: {message}"


def _require_unique_names(settings: Settings) -> None:
    names = [source.name for source in settings.sources]
    for name in names:
        if names.count(name) > 1:
            raise SettingsError(f"two sources have the name {name!r}: each needs its own")


def _require_no_secrets(settings: Settings, file: Path) -> None:
    urls = {f"source {source.name!r}: uri": source.uri for source in settings.sources}
    for key, url in {**urls, "texts_url": settings.texts_url or ""}.items():
        if holds_secret(url):
            raise SettingsError(
                f"{file}: {key} is wrong: it holds a password or a token, "
                "and would be shown: leave that to the environment or to fsspec's configuration"
            )


def _require_writable_texts(settings: Settings, file: Path) -> None:
    protocol, is_url, _ = (settings.texts_url or "").partition("://")
    if settings.texts_url and not (is_url and protocol in _WRITABLE):
        raise SettingsError(
            f"{file}: texts_url = {settings.texts_url!r} is wrong: it is to be an fsspec URL that "
            "can be written to, such as s3://BUCKET/PREFIX"
        )


def _require_passwords(settings: Settings, file: Path) -> None:
    for source in settings.sources:
        for entry in source.passwords:
            if entry.env not in os.environ:
                raise SettingsError(
                    f"{file}: source {source.name!r}: passwords: env = {entry.env!r} is wrong: "
                    "there is no such environment variable"
                )


def _require_targets(settings: Settings, file: Path) -> None:
    names = [target.name for target in settings.alerts.everyone]
    for target in settings.alerts.everyone:
        wrong = f"{file}: alert target {target.name!r}"
        if names.count(target.name) > 1:
            raise SettingsError(f"{wrong} is there twice: each needs a name of its own")
        try:
            url = target.known_url()
        except KeyError:
            missing = (
                f"url_env = {target.url_env!r} is wrong: there is no such environment variable"
            )
            raise SettingsError(f"{wrong}: {missing}") from None
        if url is not None and not is_understood(url):
            raise SettingsError(f"{wrong}: its URL is wrong: Apprise knows no such service")


def _require_usable_metadata(settings: Settings, file: Path) -> None:
    for source in settings.sources:
        for fault in faults(source.metadata):
            raise SettingsError(f"{file}: source {source.name!r}: metadata.{fault}")


def _anchored(settings: Settings, folder: Path, *, state_given: bool) -> Settings:
    """Relative paths made relative to the file, but for one given on the command line."""
    base = Path() if state_given else folder
    sources = tuple(
        source
        if "://" in source.uri
        else source.model_copy(update={"uri": str((folder / source.uri).absolute())})
        for source in settings.sources
    )
    state_dir = (base / settings.state_dir.expanduser()).absolute()
    return settings.model_copy(update={"state_dir": state_dir, "sources": sources})
