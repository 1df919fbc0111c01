"""Reprocessing from the dashboard: to its end, one at a time, with passwords that stay secret."""

import json
import sys
import time
from pathlib import Path

import pytest
from pydantic import SecretStr

from flows.dashboard.jobs import Job, JobRunning, Jobs, JobState
from flows.dashboard.order import Order
from tests.flows.dashboard.conftest import PASSWORD, entry_ids, form_key

SAYS = """
import json, os, sys, time
order = json.loads(sys.stdin.readline())
print(json.dumps({"planned": 2}), flush=True)
print(json.dumps({"done": 1}), flush=True)
"""
WAITS = SAYS + "\nwhile os.read(0, 1024):\n    pass\nprint(json.dumps({'error': 'interrupted'}))"


def ordered(**given) -> Order:
    return Order(**{"ids": ("a", "b"), "who": "ann", "state_dir": "/nowhere"} | given)


def until(jobs: Jobs, job: Job, done) -> Job:
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        now = jobs.find(job.id)
        if now and done(now):
            return now
        time.sleep(0.02)
    raise AssertionError(jobs.find(job.id))


@pytest.fixture
def make_jobs():
    made = []

    def make(script: str) -> Jobs:
        made.append(Jobs((sys.executable, "-c", script)))
        return made[-1]

    yield make
    for jobs in made:
        jobs.close()


def test_progress_is_shown_until_it_has_ended(make_jobs):
    jobs = make_jobs(WAITS)
    job = jobs.start(ordered())
    going = until(jobs, job, lambda job: job.n_done)
    assert (going.state, going.n_planned, going.n_done) == (JobState.RUNNING, 2, 1)
    assert jobs.running() == going


def test_one_goes_on_at_a_time(make_jobs):
    jobs = make_jobs(WAITS)
    first = jobs.start(ordered())
    with pytest.raises(JobRunning) as refused:
        jobs.start(ordered())
    assert refused.value.job.id == first.id
    assert len(jobs.all()) == 1


def test_it_ends_with_the_dashboard(make_jobs):
    jobs = make_jobs(WAITS)
    job = jobs.start(ordered())
    until(jobs, job, lambda job: job.n_done)
    jobs.close()
    ended = jobs.find(job.id)
    assert (ended.state, ended.error) == (JobState.FAILED, "interrupted")
    assert jobs.running() is None


def test_a_process_that_dies_is_a_job_that_failed(make_jobs):
    jobs = make_jobs(SAYS + "\nos._exit(7)")
    ended = until(jobs, jobs.start(ordered()), lambda job: job.is_over)
    assert ended.state is JobState.FAILED
    assert "status 7" in ended.error
    assert jobs.start(ordered())


def test_the_password_is_in_no_list_of_processes_and_in_no_record(make_jobs):
    jobs = make_jobs(WAITS)
    order = ordered(password=SecretStr(PASSWORD))
    job = jobs.start(order)
    until(jobs, job, lambda job: job.n_done)
    process = Path(f"/proc/{jobs._process.pid}")
    for seen in ("cmdline", "environ"):
        assert PASSWORD.encode() not in (process / seen).read_bytes()
    assert jobs.find(job.id).with_password
    assert PASSWORD not in repr(jobs.find(job.id)) + repr(order) + order.model_dump_json()
    assert json.loads(order.as_line())["password"] == PASSWORD


def test_from_the_page_to_resolved_and_with_whose_name(client, caplog):
    entry = entry_ids(client)["secret.pdf"]
    fields = {"id": entry, "do": "reprocess", "form_key": form_key(client)}
    started = client.post("/quarantine", data=fields | {"password": PASSWORD})
    assert started.status_code == 303, started.text
    again = client.post("/quarantine", data=fields)
    assert again.status_code == 409
    address = "/api" + started.headers["location"]
    deadline = time.monotonic() + 120
    while (job := client.get(address).json())["state"] in ("waiting", "running"):
        assert time.monotonic() < deadline, job
        time.sleep(0.2)
    assert [(one["id"], one["state"]) for one in job["results"]] == [(entry, "resolved")], job
    shown = client.get(f"/api/quarantine/entries/{entry}").json()
    assert shown["entry"]["state"] == "resolved"
    assert [one["who"] for one in shown["history"] if one["what"] == "retrying"] == ["ann@here"]
    assert client.get(f"/api/runs/{job['run_ids'][0]}").json()["run"]["kind"] == "reprocess"
    (found,) = client.get("/api/documents", params={"words": "secret.pdf"}).json()["items"]
    assert found["outcome"] == "indexed"
    assert PASSWORD not in caplog.text + client.get(started.headers["location"]).text


def test_a_whole_group_is_chosen_by_its_name_and_once(client):
    (reason,) = [
        one for one in client.get("/api/quarantine/groups").json() if one["code"] == "corrupt"
    ]
    (group,) = reason["groups"]
    assert group["n_entries"] == 2
    key = {"x-form-key": form_key(client)}
    asked = {"groups": [group["group"]], "ids": [group["first_id"]], "why": "all of them"}
    moved = client.post("/api/quarantine/ignore", json=asked, headers=key).json()
    assert len(moved) == len(set(moved)) == 2
    nothing = client.post("/api/quarantine/ignore", json=asked | {"ids": []}, headers=key)
    assert nothing.status_code == 404


@pytest.mark.parametrize(
    "wrong", [{"parser": "no-such"}, {"timeout_s": "soon"}, {"timeout_s": "99999"}, {"id": "fff"}]
)
def test_a_wrong_wish_starts_nothing(client, wrong):
    entry = entry_ids(client)["noise.pdf"]
    fields = {"id": entry, "do": "reprocess", "form_key": form_key(client)}
    assert client.post("/quarantine", data=fields | wrong).status_code == 400
    assert client.get("/api/jobs").json() == []
