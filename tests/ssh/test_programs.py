"""Nodes that let cephctl in and then have no Python, no rights, too much to say, or no end."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import pytest

from tests.ssh.conftest import Told, asked, fleet_in

SECONDS = 10
ASKED_FOR = 'exec sh -c "$SSH_ORIGINAL_COMMAND"'
OLD = 'import sys; sys.version_info = (3, 7, 3); exec(compile(sys.stdin.read(), "<stdin>", "exec"))'
SCRIPTS = {
    "no python, sh": f"PATH=/nonexistent; exec /bin/{ASKED_FOR.removeprefix('exec ')}",
    "no python, zsh": "echo 'zsh:1: command not found: python3' >&2; exit 127",
    "no python, sudo": "echo 'sudo: python3: command not found' >&2; exit 1",
    "old python": f"exec /usr/bin/python3 -c '{OLD}'",
    "banner before": f"echo Welcome; echo; echo '{{\"answer\": 1}}'; {ASKED_FOR}",
    "banner without a newline": f"printf '\\033]0;node\\007'; {ASKED_FOR}",
    "banner on stderr": f"echo 'sudo: unable to resolve host node' >&2; {ASKED_FOR}",
    "endless": "exec yes",
    "endless on stderr": "exec yes >&2",
    "connection lost at once": "kill -9 $PPID",
    "connection lost in the answer": (
        "cat >/dev/null; printf 'cephctl-answer:{\"answ'; sleep 0.2; kill -9 $PPID"
    ),
    "half an answer": "cat >/dev/null; printf 'cephctl-answer:{\"answ'",
    "no answer": "exit 0",
    "killed": "kill -9 $$",
    "never ends": "exec sleep 60",
    "closes and never ends": "exec >&- 2>&-; exec sleep 60",
    "sudo": "echo 'sudo: a password is required' >&2; exit 1",
    "sudo, late": "cat >/dev/null; echo 'sudo: a password is required' >&2; exit 1",
}


@dataclass(frozen=True)
class Odd:
    """A fleet with a node for each script and a good one, and what was told of it."""

    names: dict[str, str]
    told: Told

    def code(self, kind: str) -> str:
        return self.told.code(self.names[kind])

    def texts(self, kind: str) -> tuple[str, str]:
        return self.told.diagnosis(self.names[kind])["summary"], self.told.error(self.names[kind])


@pytest.fixture(scope="module")
def odd(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Odd]:
    with fleet_in(tmp_path_factory.mktemp("odd"), SECONDS) as fleet:
        names = {"good": fleet.add()[0].name} | {
            kind: fleet.add_script(script).name for kind, script in SCRIPTS.items()
        }
        yield Odd(names, asked(fleet))


def test_a_good_node_among_them_answers(odd: Odd) -> None:
    assert odd.told.has_answered(odd.names["good"])
    assert (odd.told.doctor.status, odd.told.health.status) == (5, 5)


@pytest.mark.parametrize("kind", ["no python, sh", "no python, zsh", "no python, sudo"])
def test_a_node_without_python_is_told_so(odd: Odd, kind: str) -> None:
    assert odd.code(kind) == "NODE_NO_PYTHON"
    assert odd.texts(kind) == ("it has no python3", "it has no python3")


def test_a_python_that_is_too_old_is_named(odd: Odd) -> None:
    assert odd.code("old python") == "NODE_PYTHON_TOO_OLD"
    assert all("3.7" in text for text in odd.texts("old python"))


@pytest.mark.parametrize("kind", ["banner before", "banner without a newline", "banner on stderr"])
def test_what_a_login_script_prints_is_no_matter(odd: Odd, kind: str) -> None:
    assert odd.told.has_answered(odd.names[kind])


def test_endless_output_is_cut_off(odd: Odd) -> None:
    assert all("more than 8 MiB" in text for text in odd.texts("endless"))


@pytest.mark.parametrize("kind", ["never ends", "closes and never ends", "endless on stderr"])
def test_a_program_that_never_ends_is_given_up(odd: Odd, kind: str) -> None:
    assert odd.code(kind) in ("NODE_SILENT", "NODE_PROGRAM_FAILED")
    assert all("within" in text or "more than" in text for text in odd.texts(kind))


@pytest.mark.parametrize("kind", ["connection lost at once", "connection lost in the answer"])
def test_a_connection_that_breaks_is_said_to_have_been_closed(odd: Odd, kind: str) -> None:
    assert odd.code(kind) in ("NODE_UNREACHABLE", "NODE_PROGRAM_FAILED")
    assert all("closed" in text and "within" not in text for text in odd.texts(kind))


@pytest.mark.parametrize("kind", ["half an answer", "no answer", "killed"])
def test_a_program_that_ends_without_its_answer_has_failed(odd: Odd, kind: str) -> None:
    assert odd.code(kind) == "NODE_PROGRAM_FAILED"


@pytest.mark.parametrize("kind", ["sudo", "sudo, late"])
def test_sudo_that_wants_a_password_is_named(odd: Odd, kind: str) -> None:
    assert odd.code(kind) == "NODE_SUDO_REFUSED"
    assert all("a password is required" in text for text in odd.texts(kind))
