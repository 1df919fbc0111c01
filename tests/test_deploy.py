"""The files under deploy/, as far as that can be told without a container engine."""

import json
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from flows.settings import load_settings
from tests.conftest import ROOT

pytestmark = pytest.mark.proof

DEPLOY = ROOT / "deploy"
COMPOSE = yaml.safe_load((DEPLOY / "compose.yaml").read_text("utf-8"))
SERVICES: dict[str, dict[str, Any]] = COMPOSE["services"]
BIN = Path(sys.executable).parent
OURS = ("headwater", "prefect", "dask")
COMMANDS = {name: one["command"] for name, one in SERVICES.items() if "command" in one}


def binds() -> list[str]:
    """What of this repository is put into containers."""
    given = [volume for one in SERVICES.values() for volume in one.get("volumes", ())]
    return sorted({one.split(":")[0] for one in given if one.startswith(".")})


def needs(name: str) -> dict[str, Any]:
    found: dict[str, Any] = SERVICES[name].get("depends_on", {})
    return found


def test_the_compose_file_is_one():
    spec = pytest.importorskip("compose_spec")
    # Merge keys are YAML's, variables are the shell's: neither is there when the file is read.
    filled = re.sub(r"\$\{\w+(?::-|:\?)?([^}]*)\}", r"\1", yaml.safe_dump(COMPOSE))
    found = spec.PyCompose.from_yaml(filled)
    assert set(found.service_names()) == SERVICES.keys()


@pytest.mark.parametrize("path", binds())
def test_what_is_mounted_is_there(path):
    assert (DEPLOY / path).exists()


def test_services_need_only_services_that_can_be_as_they_are_needed():
    for name in SERVICES:
        for other, how in needs(name).items():
            if how["condition"] == "service_healthy":
                assert "healthcheck" in SERVICES[other], (name, other)
            if how["condition"] == "service_completed_successfully":
                assert SERVICES[other]["restart"] == "on-failure", (name, other)


def test_every_volume_and_secret_that_is_used_is_declared():
    used = {
        volume.split(":")[0]
        for one in SERVICES.values()
        for volume in one.get("volumes", ())
        if not volume.startswith((".", "$"))
    }
    assert used == COMPOSE["volumes"].keys()
    assert {s for one in SERVICES.values() for s in one.get("secrets", ())} == set(
        COMPOSE["secrets"]
    )


def test_nothing_is_published_to_other_machines():
    ports = [port for one in SERVICES.values() for port in one.get("ports", ())]
    assert ports
    assert all(str(port).startswith("127.0.0.1:") for port in ports)


def test_no_secret_is_written_down():
    text = (DEPLOY / "compose.yaml").read_text("utf-8")
    for name in ("POSTGRES_PASSWORD", "HEADWATER_TOKEN"):
        assert set(re.findall(rf"{name}: (\S+)", text)) <= {f"${{{name}:?}}"}


@pytest.mark.parametrize(
    "name", [name for name, words in COMMANDS.items() if words[0] in OURS], ids=str
)
def test_a_command_is_one_that_the_program_knows(name, tmp_path):
    """Asked for help with all that is given, a program looks at each option before."""
    words = [str(word) for word in COMMANDS[name]]
    done = subprocess.run(
        [str(BIN / words[0]), *words[1:], "--help"],
        capture_output=True,
        text=True,
        check=False,
        env={"HOME": str(tmp_path), "PATH": str(BIN), "DO_NOT_TRACK": "1", "COLUMNS": "200"},
    )
    assert done.returncode == 0, done.stderr
    options = [word for word in words if word.startswith("--")]
    assert all(option in done.stdout for option in options), done.stdout


def test_the_settings_file_is_right(monkeypatch):
    monkeypatch.setenv("HEADWATER_TOKEN", "x" * 32)
    settings = load_settings(DEPLOY / "headwater.toml")
    assert settings.dashboard.token_env == "HEADWATER_TOKEN"
    (source,) = settings.sources
    mounted = [
        volume.removesuffix(":ro").rsplit(":", 1)[1] for volume in SERVICES["worker"]["volumes"]
    ]
    assert source.uri in mounted
    assert str(settings.state_dir) in mounted


def test_the_environment_names_settings_that_prefect_has():
    from prefect.settings.legacy import _get_settings_fields
    from prefect.settings.models.root import Settings

    known = set(_get_settings_fields(Settings))
    # Read by prefect-redis.
    theirs = {"PREFECT_REDIS_MESSAGING_HOST"}
    named = {key for key in SERVICES["prefect-api"]["environment"] if key.startswith("PREFECT_")}
    assert not named - known - theirs


def test_the_image_runs_as_nobody_special_and_copies_what_there_is():
    lines = (DEPLOY / "Dockerfile").read_text("utf-8").splitlines()
    assert "USER headwater" in lines
    copied = [word for line in lines if line.startswith("COPY ") for word in line.split()[1:-1]]
    assert copied
    assert all((ROOT / word).exists() for word in copied)
    kept = {
        line[1:] for line in (DEPLOY / "Dockerfile.dockerignore").read_text().split() if "!" in line
    }
    assert kept == set(copied)
    extras = re.search(r"^ARG EXTRAS=(.*)$", "\n".join(lines), re.M)
    assert extras is not None
    declared = re.findall(r"^(\w+) = \[", (ROOT / "pyproject.toml").read_text(), re.M)
    assert set(extras[1].split(",")) <= set(declared)


def test_the_versions_of_chroma_are_the_same():
    pinned = re.search(r"^chromadb==(.*)$", (ROOT / "constraints.txt").read_text(), re.M)
    assert pinned is not None
    assert SERVICES["chroma"]["image"].endswith(f":{pinned[1]}")


def test_prometheus_finds_what_it_is_told_of():
    config = yaml.safe_load((DEPLOY / "prometheus/prometheus.yml").read_text("utf-8"))
    targets = {
        target
        for job in config["scrape_configs"]
        for one in job["static_configs"]
        for target in one["targets"]
    }
    assert {target.split(":")[0] for target in targets} <= SERVICES.keys()
    assert config["rule_files"] == ["/etc/prometheus/alerts.yml"]


@pytest.mark.skipif(shutil.which("promtool") is None, reason="promtool is not installed")
def test_promtool_takes_the_scrape_configuration():
    file = str(DEPLOY / "prometheus/prometheus.yml")
    subprocess.run(["promtool", "check", "config", "--syntax-only", file], check=True)


def test_the_kubernetes_template_uses_the_variables_that_it_declares():
    template = json.loads((DEPLOY / "kubernetes/pool.json").read_text("utf-8"))
    used = set(re.findall(r"\{\{ (\w+) \}\}", json.dumps(template["job_configuration"])))
    assert used == template["variables"]["properties"].keys()
