"""`headwater dashboard`, as a process, and what an installation of it holds."""

import os
import re
import signal
import subprocess
import sys
import zipfile

import httpx
import pytest

from flows.settings import SettingsError, load_settings
from tests.conftest import ROOT

COMMAND = [sys.executable, "-c", "from flows.cli import main; main()", "dashboard"]


def test_it_says_where_it_is_answers_there_and_ends_on_ctrl_c(place):
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    process = subprocess.Popen(
        [*COMMAND, "--port", "0"], cwd=place, env=environment, stdout=subprocess.PIPE, text=True
    )
    try:
        said = process.stdout.readline()
        (address,) = re.findall(r"http://127\.0\.0\.1:\d+", said)
        answer = httpx.get(f"{address}/", timeout=60)
        assert (answer.status_code, "handbook" in answer.text) == (200, True)
        process.send_signal(signal.SIGINT)
        assert process.wait(30) == 0
    finally:
        process.kill()
        process.stdout.close()
        process.wait()


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ('[dashboard]\nhost = "0.0.0.0"', "token_env"),
        ('[dashboard]\ntoken_env = "NO_SUCH_VARIABLE"', "NO_SUCH_VARIABLE"),
        ("[dashboard]\nport = 70000", "port"),
        ('[dashboard]\nuser_header = "X User:"', "user_header"),
    ],
)
def test_a_wrong_setting_is_one_line(place, settings, said):
    with (place / "headwater.toml").open("a") as file:
        file.write(settings + "\n")
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    done = subprocess.run(COMMAND, cwd=place, env=environment, capture_output=True, text=True)
    assert done.returncode == 2
    assert said in done.stderr
    assert len(done.stderr.splitlines()) == 1


def test_the_settings_say_where_it_listens_and_the_environment_may(tmp_path, monkeypatch):
    (tmp_path / "headwater.toml").write_text('[dashboard]\nhost = "::1"\nport = 8080\n')
    monkeypatch.setenv("HEADWATER_DASHBOARD__PORT", "8081")
    found = load_settings(tmp_path / "headwater.toml").dashboard
    assert (found.host, found.port, found.is_local) == ("::1", 8081, True)
    (tmp_path / "headwater.toml").write_text('[dashboard]\nhots = "::1"\n')
    with pytest.raises(SettingsError, match=r"dashboard\.hots"):
        load_settings(tmp_path / "headwater.toml")


def test_pages_and_their_files_are_in_the_wheel(tmp_path):
    from hatchling.builders.wheel import WheelBuilder

    (built,) = WheelBuilder(str(ROOT)).build(directory=str(tmp_path))
    with zipfile.ZipFile(built) as wheel:
        held = set(wheel.namelist())
    for folder in ("templates", "static"):
        files = {
            str(file.relative_to(ROOT)) for file in (ROOT / "flows/dashboard" / folder).iterdir()
        }
        assert files
        assert files <= held
