"""What a worker may not do, tried in a process of its own: an audit hook cannot be taken off."""

import subprocess
import sys
import textwrap

import pytest

ATTEMPTS = {
    "look a name up": "import socket; socket.getaddrinfo('localhost', 80)",
    "open a connection": "import socket; socket.create_connection(('127.0.0.1', 9))",
    "listen": "import socket; socket.socket().bind(('127.0.0.1', 0))",
    "start a program": "import subprocess; subprocess.run(['true'])",
    "run a shell": "import os; os.system('true')",
    "fork": "import os; os.fork()",
    "write elsewhere": "open('/tmp/headwater-test-escape', 'w')",
    "write to the folder above": "open('../escape', 'w')",
}


def run(code: str, folder) -> subprocess.CompletedProcess[str]:
    confined = f"""
        import os, sys
        from parsers.worker import Forbidden, _confine_to
        sys.addaudithook(_confine_to(os.getcwd()))
        try:
            {code}
        except Forbidden:
            print("forbidden")
        else:
            print("done")
    """
    return subprocess.run(
        [sys.executable, "-c", textwrap.dedent(confined)],
        cwd=folder,
        env={"PYTHONPATH": ":".join(sys.path)},
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.parametrize("attempt", ATTEMPTS)
def test_a_parser_cannot(attempt, tmp_path):
    result = run(ATTEMPTS[attempt], tmp_path)
    assert result.stdout.strip() == "forbidden", result.stderr


@pytest.mark.parametrize(
    "code",
    ["open('own', 'w')", "import tempfile; tempfile.TemporaryFile(dir='.')", "open('/etc/hosts')"],
)
def test_a_parser_can_write_in_its_own_folder_and_read(code, tmp_path):
    result = run(code, tmp_path)
    assert result.stdout.strip() == "done", result.stderr


OWN = "headwater-worker-1"


@pytest.mark.parametrize("arguments", [[], ["."], [OWN], ["headwater-worker-2"], ["a", "b"]])
def test_started_by_hand_it_touches_nothing(arguments, tmp_path):
    (tmp_path / OWN).mkdir()
    (tmp_path / "mine").write_text("Years of work.")
    done = subprocess.run(
        [sys.executable, "-m", "parsers.worker", *arguments],
        cwd=tmp_path,
        env={"PYTHONPATH": ":".join(sys.path)},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
        start_new_session=True,
    )
    assert done.returncode == 1
    assert done.stderr == "parsers.worker is started by the sandbox, in a folder of its own\n"
    assert {one.name for one in tmp_path.iterdir()} == {OWN, "mine"}
