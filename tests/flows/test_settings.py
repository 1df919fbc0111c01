"""Settings."""

from datetime import timedelta
from pathlib import Path

import pytest

from flows.settings import Settings, SettingsError, load_settings

GOOD = """
state_dir = "kept"
[[sources]]
name = "handbook"
uri = "docs"
exclude = ["**/*.tmp"]
freshness = { warn_after = "90m", error_after = "2d" }
required_metadata = ["owner"]
removal_guard = 0.5
[[sources]]
name = "policies"
uri = "s3://bucket/policies"
[limits]
parse_timeout_s = 5
"""


def load(tmp_path: Path, text: str) -> Settings:
    file = tmp_path / "headwater.toml"
    file.write_text(text)
    return load_settings(file)


def test_values_are_read_and_paths_are_relative_to_the_file(tmp_path):
    settings = load(tmp_path, GOOD)
    assert settings.state_dir == tmp_path / "kept"
    handbook, policies = settings.sources
    assert handbook.uri == str(tmp_path / "docs")
    assert handbook.freshness.warn_after == timedelta(minutes=90)
    assert policies.uri == "s3://bucket/policies"
    assert settings.limits.limits.timeout_s == 5


def test_no_file_is_no_error_and_gives_the_defaults(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    settings = load_settings()
    assert settings.sources == ()
    assert settings.state_dir == tmp_path / ".headwater"


def test_the_environment_comes_before_the_file(tmp_path, monkeypatch):
    monkeypatch.setenv("HEADWATER_LIMITS__PARSE_TIMEOUT_S", "7")
    monkeypatch.setenv("HEADWATER_STATE_DIR", str(tmp_path / "elsewhere"))
    settings = load(tmp_path, GOOD)
    assert settings.limits.parse_timeout_s == 7
    assert settings.state_dir == tmp_path / "elsewhere"


def test_a_state_directory_that_is_given_comes_first(tmp_path, monkeypatch):
    monkeypatch.setenv("HEADWATER_STATE_DIR", "/nowhere")
    (tmp_path / "headwater.toml").write_text(GOOD)
    assert load_settings(tmp_path / "headwater.toml", tmp_path / "s").state_dir == tmp_path / "s"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("state_dri = 'x'", "no setting state_dri"),
        ("[limits]\nparse_timeout = 5", "no setting limits.parse_timeout"),
        ("[limits]\nparse_timeout_s = 'long'", "limits.parse_timeout_s = 'long'"),
        ("[limits]\nparse_timeout_s = -1", "greater than 0"),
        ("[[sources]]\nname = 'a b'\nuri = 'x'", "sources.0.name = 'a b'"),
        ("[[sources]]\nname = 'a'", "sources.0.uri"),
        (
            "[[sources]]\nname='a'\nuri='x'\nfreshness = {warn_after = '2 fortnights'}",
            "a number and a unit",
        ),
        ("[[sources]]\nname='a'\nuri='x'\nfreshness = {warn_after = 7200}", "a number and a unit"),
        ("[[sources]]\nname='a'\nuri='x'\nremoval_guard = 30", "less than or equal to 1"),
        ("[[sources]]\nname='a'\nuri='x'\n[[sources]]\nname='a'\nuri='y'", "two sources"),
        ("state_dir = ", "is not TOML"),
    ],
)
def test_a_wrong_setting_names_the_key_and_what_is_allowed(tmp_path, text, said):
    with pytest.raises(SettingsError) as caught:
        load(tmp_path, text)
    assert said in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_file_that_is_not_there_is_an_error_if_it_was_named(tmp_path):
    with pytest.raises(SettingsError, match="there is no file"):
        load_settings(tmp_path / "missing.toml")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("required_metadata = ['Owner']", "lower_snake_case"),
        ("metadata.owner = { requird = true }", "no setting sources.0.metadata.owner.requird"),
        ("metadata.owner = { pattern = '(' }", "metadata.owner.pattern = '(' is wrong: no regular"),
        ("metadata.owner = { severity = 'fatal' }", "'warning' or 'error'"),
        ("metadata.owner = { from_path = '^([^/]+)/' }", "needs a group (?P<owner>"),
        ("metadata.owner = { allowed = ['HR'], default = 'IT' }", "owner.default = 'IT' is wrong"),
        ("metadata.title = { default = 'IT' }", "fills this field itself"),
        ("metadata.text = { required = true }", "needs another name"),
        ("metadata.o = { lookup = { url = 'ftp://h/', field = 'x' } }", "with {uri}"),
        ("on_invalid_chunk = 'keep'", "'quarantine' or 'drop'"),
        ("checks = { share_quarantined = { max = -1 } }", "greater than or equal to 0"),
        ("checks = { share_quarantine = { max = 1 } }", "no setting sources.0.checks.share_quara"),
    ],
)
def test_a_wrong_rule_on_metadata_is_told_like_any_other_setting(tmp_path, text, said):
    with pytest.raises(SettingsError) as caught:
        load(tmp_path, f"[[sources]]\nname = 'a'\nuri = 'x'\n{text}\n")
    assert said in str(caught.value)
    assert "\n" not in str(caught.value)


def test_the_rules_of_a_field_may_stand_in_a_table_of_their_own(tmp_path):
    text = "[[sources]]\nname = 'a'\nuri = 'x'\n[sources.metadata.owner]\nrequired = true\n"
    (source,) = load(tmp_path, text).sources
    assert source.metadata["owner"].required


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("/srv/texts", "such as s3://BUCKET/PREFIX"),
        ("ftps3://bucket/texts", "such as s3://BUCKET/PREFIX"),
        ("https://host/texts", "such as s3://BUCKET/PREFIX"),
        ("s3://AKIA:pass-xyz@bucket/texts", "leave that to the environment"),
    ],
)
def test_a_url_of_texts_must_be_writable_and_hold_no_secret(tmp_path, url, said):
    with pytest.raises(SettingsError, match="texts_url") as caught:
        load(tmp_path, f"texts_url = '{url}'\n")
    assert said in str(caught.value)
    assert "pass-xyz" not in str(caught.value)
