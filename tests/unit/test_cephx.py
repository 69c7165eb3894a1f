from __future__ import annotations

import base64
import contextlib
import shlex
import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cephctl.caps import caps_command, operator_caps
from cephctl.cephconf import MalformedFile, lookup, parse_sections, plain_text
from cephctl.cephx import MalformedKey, parse_key, parse_keyring

times = st.integers(0, 2**32 - 1)
nanoseconds = st.integers(0, 999_999_999)


def key_text(secret: bytes, kind: int = 1, seconds: int = 1_700_000_000, fraction: int = 0) -> str:
    return base64.b64encode(
        struct.pack("<HIIH", kind, seconds, fraction, len(secret)) + secret
    ).decode()


@given(st.binary(min_size=16, max_size=16), times, nanoseconds)
def test_a_key_is_decoded_and_never_shown(secret: bytes, seconds: int, fraction: int) -> None:
    text = key_text(secret, 1, seconds, fraction)
    key = parse_key(text)
    assert (key.type, key.secret, int(key.created.timestamp())) == ("aes", secret, seconds)
    assert text not in repr(key)
    assert repr(secret) not in repr(key)


def test_aes256k() -> None:
    assert parse_key(key_text(b"x" * 32, kind=2)).type == "aes256k"


@given(st.binary(min_size=16, max_size=16), times)
def test_the_header_is_no_part_of_the_fingerprint(secret: bytes, seconds: int) -> None:
    assert (
        parse_key(key_text(secret, seconds=seconds)).fingerprint
        == parse_key(key_text(secret)).fingerprint
    )


@pytest.mark.parametrize(
    "text",
    ["", "AQ==", "no key", key_text(b"x" * 16)[:-8], key_text(b"x" * 16, kind=9), key_text(b"")],
)
def test_malformed_keys_are_refused_unquoted(text: str) -> None:
    with pytest.raises(MalformedKey) as caught:
        parse_key(text)
    assert not text or text not in str(caught.value)


@given(st.text())
def test_no_text_breaks_the_key_parser(text: str) -> None:
    with contextlib.suppress(MalformedKey):
        parse_key(text)


KEY = key_text(b"0123456789abcdef")


def test_keyring_with_caps() -> None:
    content = (
        f'[client.a]\n\tkey = {KEY}\n\tcaps mon = "allow r"\n\n# other\n[client.b]\nkey={KEY}\n'
    )
    found = parse_keyring(content.encode())
    assert set(found) == {"client.a", "client.b"}
    assert found["client.a"].caps == {"mon": "allow r"}


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"\xef\xbb\xbf[client.a]\nkey = x\n", "byte order mark"),
        (b"\xff\xfe[\0", "byte order mark"),
        (b"[client.a]\nkey = \0\n", "NUL"),
        (b"[client.a]\nkey = \xc3\xa9\n", "line 2"),
        (b"key = x\n", "line 1"),
        (b"[client.a]\nnonsense\n", "line 2"),
        (b"[client.a]\n", "no key"),
        (b"[client.a]\nkey = garbage!\n", r"the key of \[client.a\] is not base64"),
    ],
)
def test_damaged_keyrings(content: bytes, says: str) -> None:
    with pytest.raises(MalformedFile, match=says):
        parse_keyring(content)


@given(st.binary(max_size=200))
def test_no_bytes_break_the_keyring_parser(content: bytes) -> None:
    try:
        parse_keyring(content)
    except MalformedFile as error:
        assert content.decode("latin-1") not in str(error) or len(content) < 3


def test_conf_sections_override_each_other_as_in_ceph() -> None:
    sections = parse_sections(
        "[global]\nkeyring=g\nmon_host = m\n[client]\nkeyring=c\n[client.x]\nkey-ring = other\n"
    )
    assert lookup(sections, "client.x", "keyring") == "c"
    assert lookup(sections, "client.x", "mon host") == "m"
    assert lookup(sections, "osd.0", "keyring") == "g"


def test_comments_may_hold_anything() -> None:
    assert parse_sections(plain_text("# Zürich\n[global]\nmon host = a ; für alle\n".encode())) == {
        "global": {"mon host": "a"}
    }
    with pytest.raises(MalformedFile, match="line 2"):
        plain_text("# ok\n[glöbal]\n".encode())
    with pytest.raises(MalformedFile, match="line 3"):
        plain_text("[global]\n# ok\nä = b\n".encode())


services = st.sampled_from(["mon", "mgr", "osd", "mds"])
caps = st.dictionaries(services, st.text(alphabet="abcrwx* =_/", min_size=1), min_size=1)


@given(caps)
def test_the_caps_command_names_every_service(wanted: dict[str, str]) -> None:
    words = shlex.split(caps_command("caps", "client.x", wanted))
    assert words[:4] == ["ceph", "auth", "caps", "client.x"]
    assert dict(zip(words[4::2], words[5::2], strict=True)) == wanted


def test_the_operators_caps_name_the_entity_that_the_web_nodes_mount_as() -> None:
    assert 'allow command "auth get" with entity=client.shop' in operator_caps("client.shop")["mon"]
    assert "client.web" not in operator_caps("client.shop")["mon"]
