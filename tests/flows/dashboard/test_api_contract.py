"""The API against its own description: whatever is asked, it answers as it says that it does."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
import schemathesis
from hypothesis import HealthCheck, given, settings
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from flows.dashboard.access import Access
from flows.dashboard.app import make_app
from flows.dashboard.jobs import Jobs
from flows.settings import Settings, load_settings
from tests.fakes import FakeEmbedder
from tests.flows.dashboard.conftest import RETRYING, TOKEN

BEARER = {"Authorization": f"Bearer {TOKEN}"}
ACCESS = Access(local_user="ann@here", token=TOKEN, user_header=None)
CHECKS = (
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_schema_conformance,
)
OPERATIONS = [
    (method.upper(), path)
    for path, methods in make_app(Settings(), ACCESS).openapi()["paths"].items()
    for method in methods
]
FEW = settings(max_examples=25, deadline=None, suppress_health_check=list(HealthCheck))


@pytest.fixture(scope="module")
def described(ingested, tmp_path_factory) -> Iterator[schemathesis.BaseSchema]:
    """What an app over a copy says of itself."""
    copy: Path = tmp_path_factory.mktemp("api") / "place"
    shutil.copytree(ingested, copy)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("flows.wiring.Embedder", FakeEmbedder)
        app = make_app(load_settings(copy / "headwater.toml"), ACCESS, None, Jobs(RETRYING))
        yield schemathesis.openapi.from_asgi("/api/openapi.json", app, headers=BEARER)


@pytest.mark.parametrize(("method", "path"), OPERATIONS)
def test_with_the_token_each_answer_is_one_that_is_described(described, method, path):
    @FEW
    @given(case=described[path][method].as_strategy())
    def check(case):
        case.call_and_validate(headers=BEARER, checks=CHECKS)

    check()


@pytest.mark.parametrize(("method", "path"), OPERATIONS)
def test_without_the_token_nothing_is_answered(described, method, path):
    @FEW
    @given(case=described[path][method].as_strategy())
    def check(case):
        assert case.call(headers={"Authorization": "Bearer made-up"}).status_code == 401

    check()
