"""Settings of alerts: what is wrong is told, and no URL is."""

import json
from datetime import timedelta

import pytest

from flows.settings import SettingsError, load_settings
from index.catalog.alerts import Severity
from tests.flows.conftest import SECRET

TARGET = f"[[alerts.targets]]\nname = 'ops'\nurl = 'json://127.0.0.1/{SECRET}'\n"


def test_the_short_and_the_long_form_go_together(configure, monkeypatch):
    monkeypatch.setenv("OPS_URL", f"json://127.0.0.1/{SECRET}")
    file = configure(
        f"[alerts]\nurls = ['json://127.0.0.1/{SECRET}']\nrepeat_after = '12h'\n"
        "max_quarantined_share = 0.5\n[[alerts.targets]]\nname = 'on call'\nurl_env = 'OPS_URL'\n"
        "min_severity = 'error'\nsources = ['hand*']\n[[alerts.targets]]\nname = 'b'\nblock = 'x'\n"
    )
    alerts = load_settings(file).alerts
    assert alerts.repeat_after == timedelta(hours=12)
    short, on_call, block = alerts.everyone
    assert [target.name for target in alerts.everyone] == ["json-1", "on call", "b"]
    assert short.known_url() == on_call.known_url() == f"json://127.0.0.1/{SECRET}"
    assert on_call.min_severity is Severity.ERROR
    assert block.known_url() is None
    assert SECRET not in repr(load_settings(file))


def test_the_short_form_may_come_from_the_environment(configure, monkeypatch):
    url = f"json://127.0.0.1/{SECRET}"
    monkeypatch.setenv("HEADWATER_ALERTS__URLS", json.dumps([url]))
    (target,) = load_settings(configure("")).alerts.everyone
    assert target.known_url() == url


@pytest.mark.parametrize(
    ("alerts", "said"),
    [
        (f"[alerts]\nurl = 'json://127.0.0.1/{SECRET}'", "no setting alerts.url"),
        (f"[alerts]\nurls = 'json://127.0.0.1/{SECRET}'", "alerts.urls is wrong"),
        (f"[alerts]\nurls = ['{SECRET}']", "'url-1': its URL is wrong"),
        (f"[alerts]\nurls = ['nosuch://{SECRET}']", "'nosuch-1': its URL is wrong"),
        (f"[alerts]\nurls = ['slack://{SECRET}']", "'slack-1': its URL is wrong"),
        ("[alerts]\nrepeat_after = 'daily'", "alerts.repeat_after = 'daily'"),
        ("[alerts]\nrepeat_after = 24", "a number and a unit"),
        ("[alerts]\nmax_quarantined_share = 20", "less than or equal to 1"),
        (TARGET + "min_severity = 'info'", "'info' is wrong: Input should be 'warning' or 'error'"),
        (TARGET + "severity = 'error'", "no setting alerts.targets.0.severity"),
        (TARGET + "block = 'x'", "alerts.targets.0 is wrong: one of url, url_env and block"),
        (TARGET.replace("name = 'ops'", ""), "alerts.targets.0.name is wrong: Field required"),
        (TARGET.replace("url = ", "url_env = "), "alerts.targets.0.url_env is wrong: the name of"),
        ("[[alerts.targets]]\nname = 'a'\nurl_env = 'UNSET'", "'UNSET' is wrong: there is no such"),
        (TARGET * 2, "'ops' is there twice"),
    ],
)
def test_what_is_wrong_is_told_without_the_url(configure, alerts, said):
    with pytest.raises(SettingsError) as caught:
        load_settings(configure(alerts))
    assert said in str(caught.value)
    assert SECRET not in str(caught.value)
    assert "\n" not in str(caught.value)
