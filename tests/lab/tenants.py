"""Make tenants' directories on a CephFS: tenants.py CONF KEYRING TENANT…; run by the system's
Python for its bindings.
"""

from __future__ import annotations

import sys

import cephfs

FIRST_UID = 2001


def main(conf: str, keyring: str, *tenants: str) -> None:
    fs = cephfs.LibCephFS(
        conffile=conf,
        auth_id="admin",
        conf={"keyring": keyring, "client_mount_timeout": "20", "client_shutdown_timeout": "2"},
    )
    fs.mount()
    try:
        write(fs, "/.healthz", b"ok\n")
        make_sentinel(fs)
        for uid, tenant in enumerate(tenants, start=FIRST_UID):
            make_tenant(fs, tenant, uid)
    finally:
        fs.unmount()
        fs.shutdown()


def make_sentinel(fs: cephfs.LibCephFS) -> None:
    """As `cephctl node probe --create-sentinel` makes it."""
    fs.close(fs.open("/.cephctl-sentinel", "w", 0o600))
    fs.truncate(b"/.cephctl-sentinel", 4096)


def make_tenant(fs: cephfs.LibCephFS, tenant: str, uid: int) -> None:
    """The layout the platform's TenantManager makes: root owns the chroot, the tenant what is in
    it.
    """
    make_directory(fs, f"/{tenant}", 0o755, 0)
    for name, mode in (("home", 0o700), ("webroots", 0o755), ("logs", 0o750), ("tmp", 0o1777)):
        make_directory(fs, f"/{tenant}/{name}", mode, uid)
    for name in ("webroots/site", "webroots/site/public"):
        make_directory(fs, f"/{tenant}/{name}", 0o755, uid)
    write(fs, f"/{tenant}/webroots/site/public/index.html", f"<h1>{tenant}</h1>\n".encode())


def make_directory(fs: cephfs.LibCephFS, path: str, mode: int, uid: int) -> None:
    try:
        fs.mkdir(path, mode)
    except cephfs.ObjectExists:
        return
    fs.chmod(path, mode)
    fs.chown(path, uid, uid)


def write(fs: cephfs.LibCephFS, path: str, content: bytes) -> None:
    fd = fs.open(path, "w", 0o644)
    fs.write(fd, content, 0)
    fs.close(fd)


if __name__ == "__main__":
    main(*sys.argv[1:])
