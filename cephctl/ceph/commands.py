"""Commands to the monitors and the MDS through librados; runs in a worker."""

from __future__ import annotations

import errno
import json
from collections.abc import Generator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from cephctl.caps import KEYS_CAPS, MDS_CAPS, mon_caps
from cephctl.ceph.login import Login, caps_hint, create_hint, is_operators
from cephctl.ceph.messages import Waiting
from cephctl.ceph.target import Target
from cephctl.ceph.worker import Report
from cephctl.errors import (
    Blocklisted,
    CephctlError,
    Denied,
    NotFound,
    Unanswered,
    UnexpectedAnswer,
    Unreachable,
    UsageError,
)
from cephctl.parse import Json

if TYPE_CHECKING:
    import cephfs
    import rados

EVICTED = "this client was evicted and blocklisted in mid-operation"
EVICTED_HINT = (
    "a command or the MDS evicted it; run the command again, and see 'ceph osd dump' for the "
    "blocklist"
)


class Answer(dict[str, Json]):
    """A JSON object from Ceph; a key that is not there is one clear error that names the
    command.
    """

    prefix = ""

    def __missing__(self, key: str) -> Json:
        raise UnexpectedAnswer(f"the answer to '{self.prefix}' has no '{key}'")


class Cluster:
    """A connection to the monitors. It is bounded by the target's timeout; its MDS commands by the
    worker alone.
    """

    def __init__(self, login: Login, report: Report) -> None:
        self.target = login.target
        self.monitors = login.monitors
        self.report = report
        self._keyring = login.keyring
        self._rados: rados.Rados | None = None
        self._mds: cephfs.LibCephFS | None = None

    @contextmanager
    def connected(self) -> Generator[Cluster]:
        """Log in at the monitors, and leave them cleanly on every way out."""
        import rados

        seconds = str(self.target.seconds)
        options = {
            "keyring": self._keyring,
            "client_mount_timeout": seconds,
            "rados_mon_op_timeout": seconds,
            "rados_osd_op_timeout": seconds,
            # 0 would wait for ever; the default of 30 s would outlive every deadline here.
            "client_shutdown_timeout": "1",
        }
        self.report(Waiting(self.monitors_named(), "connect"))
        try:
            self._rados = rados.Rados(
                name=self.target.entity, conffile=self.target.conf, conf=options
            )
        except rados.Error as error:
            raise UsageError(f"librados cannot use {self.target.conf}: {error}") from None
        try:
            self._log_in(rados)
            yield self
        finally:
            if self._mds:
                self._mds.shutdown()
            self._rados.shutdown()

    def _log_in(self, rados: Any) -> None:
        assert self._rados
        try:
            self._rados.connect()
        except rados.TimedOut:
            raise Unanswered(self.monitors_named(), "connect", self.target.seconds) from None
        except rados.PermissionDeniedError:
            raise self.refused() from None
        except rados.Error as error:
            raise Unreachable(f"cannot connect to {self.monitors_named()}: {error}") from None

    def refused(self) -> CephctlError:
        target = self.target
        hints = [create_hint(target), *([caps_hint(target)] if is_operators(target.entity) else [])]
        return Unreachable(
            f"the monitors refused {target.entity}: its key in {self._keyring} is wrong, "
            "the cluster does not have it, or it lacks mon 'allow r'",
            "\n".join(hints),
        )

    @property
    def handle(self) -> rados.Rados:
        """The connection, for what must share it."""
        assert self._rados
        return self._rados

    def monitors_named(self) -> str:
        hosts = dict.fromkeys(host for host, _ in self.monitors)
        return f"{'monitor' if len(hosts) == 1 else 'monitors'} {', '.join(hosts)}"

    def version(self) -> str:
        """What the monitors run, as `ceph version` prints it."""
        return str(self.command("version")["version"])

    def command(self, prefix: str, stdin: str = "", **arguments: object) -> Json:
        """One command to the monitors, its JSON answer decoded. What is secret travels in
        `stdin`.
        """
        self.report(Waiting(self.monitors_named(), f"answer '{prefix}'"))
        request = json.dumps({"prefix": prefix, "format": "json", **arguments})
        code, output, text = self.handle.mon_command(request, stdin.encode())
        return self._decode(prefix, code, output, text, self.monitors_named())

    def mds_command(self, daemon: str, prefix: str, **arguments: object) -> Json:
        """One command to an MDS by name (`a`, not `mds.a`). By rank it could abort the process; and
        nothing bounds it.
        """
        import cephfs

        self.report(Waiting(f"mds.{daemon}", f"answer '{prefix}'"))
        if self._mds is None:
            asker = cephfs.LibCephFS(rados_inst=self.handle)
            try:
                asker.init()
            except cephfs.Error:
                # It logs in at the monitors once more, and they have just let us.
                raise Unanswered(
                    self.monitors_named(), "let libcephfs in", self.target.timeout
                ) from None
            self._mds = asker
        request = json.dumps({"prefix": prefix, "format": "json", **arguments})
        code, output, text = self._mds.mds_command(daemon, request, b"")
        return self._decode(prefix, code, output, text, f"mds.{daemon}")

    def _decode(self, prefix: str, code: int, output: bytes, text: str, whom: str) -> Json:
        # mgr commands that time out answer with +110 instead of -110 (measured, 16.2.15).
        match abs(code):
            case 0:
                return decode(prefix, output)
            case errno.ETIMEDOUT:
                raise Unanswered(whom, f"answer '{prefix}'", self.target.seconds)
            case errno.EACCES | errno.EPERM:
                service = "mds" if whom.startswith("mds.") else "mon"
                raise denied(self.target, f"run '{prefix}'", service, prefix)
            case errno.ENOENT:
                raise NotFound(f"{whom}: '{prefix}': {text or 'no such object'}")
            case errno.ESHUTDOWN:
                raise Blocklisted(EVICTED, EVICTED_HINT)
            case number:
                name = errno.errorcode.get(number, str(number))
                raise UnexpectedAnswer(f"{whom} answered '{prefix}' with {name}: {text}")


def fsid_of(cluster: Cluster) -> Generator[str]:
    """One answer: which cluster this is."""
    yield str(cluster.command("mon dump")["fsid"])


def evict_session(cluster: Cluster, mds: str, session: int) -> None:
    """Evict one session, by its ID, at the MDS that has it. Without a filter 16.2 would evict every
    client.
    """
    cluster.mds_command(mds, "client evict", filters=[f"id={session}"])


def denied(target: Target, deed: str, service: str, prefix: str = "") -> Denied:
    """The error for caps that do not suffice; `prefix` is the command that was denied."""
    needed, hint = cap_for(target, service, prefix), caps_hint(target)
    if needed in (*KEYS_CAPS.values(), *KEYS_CAPS["mon"].split(", ")):
        hint = "keys are changed as client.admin: -n client.admin"
    return Denied(f"{target.entity} may not {deed}: it lacks {service} '{needed}'", hint)


def cap_for(target: Target, service: str, prefix: str) -> str:
    """The cap that a command needs, or access to OSDs or the MDS."""
    if service != "mon":
        return KEYS_CAPS["osd"] if service == "osd" else MDS_CAPS
    caps = mon_caps(target.mounted_as)
    plain = f'allow command "{prefix}"' if prefix.startswith("auth ") else caps[""]
    return caps.get(prefix, plain)


def decode(prefix: str, output: bytes) -> Json:
    """JSON whose objects know which command they answer."""

    def answer(values: dict[str, Json]) -> Answer:
        known = Answer(values)
        known.prefix = prefix
        return known

    try:
        return json.loads(output or b"{}", object_hook=answer)
    except ValueError:
        # Not what it is: an answer may hold a key.
        raise UnexpectedAnswer(
            f"the answer to '{prefix}' is not JSON ({len(output)} bytes)"
        ) from None
