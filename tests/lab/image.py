"""Build what the lab boots: the web nodes' disk, kernel and initramfs, and a root for a newer Ceph."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.lab.places import FIRST_UID, HERE, IMAGES, NODES, SSH_KEY, TENANTS, recipe
from tests.lab.shell import LabError, run

FILES = HERE / "image"
NODE_PACKAGES = "systemd systemd-sysv openssh-server ceph-common iproute2 kmod procps udev dbus attr python3 sudo nginx-light nftables keyutils"
CEPH_PACKAGES = "ceph-mon ceph-mgr ceph-osd ceph-mds ceph-common"
PLATFORM_ON = "cp -r /usr/local/share/platform/. / && systemctl -q enable var-www-storage.mount nginx node-agent"
DISK_MIB = 1400
# The stock kernel has 400 MB of modules; these are the ones a web node can use.
MODULES = (
    "fs", "net", "lib", "crypto", "arch", "drivers/virtio", "drivers/block/virtio_blk.ko", "drivers/net/virtio_net.ko",
    "drivers/net/net_failover.ko",
)  # fmt: skip
MODULES_AT_BOOT = (
    "drivers/virtio", "drivers/block", "drivers/net", "net/core/failover.ko", "fs/ext4", "fs/jbd2", "fs/mbcache.ko",
    "lib/crc16.ko", "lib/libcrc32c.ko", "crypto/crc32c_generic.ko",
)  # fmt: skip
MASKED = "apt-daily.timer apt-daily-upgrade.timer dpkg-db-backup.timer e2scrub_all.timer fstrim.timer e2scrub_reap.service"
# An emulated machine needs most of a second for each of them, at every daemon-reload.
GENERATORS_MASKED = (
    "cryptsetup", "debug", "getty", "gpt-auto", "hibernate-resume", "integritysetup", "rc-local", "run", "system-update", "sysv",
    "veritysetup",
)  # fmt: skip
SPACE_NEEDED = 8 << 30


@dataclass(frozen=True)
class NodeImage:
    """A web node's machine image: `disk` is raw ext4 and never written to."""

    name: str
    disk: Path
    kernel: Path
    initrd: Path
    known_hosts: Path


def node_image() -> NodeImage:
    """The web nodes' image, built when its recipe changed."""
    make_ssh_key()
    name = "node-" + recipe(
        Path(__file__),
        FILES,
        SSH_KEY.with_suffix(".pub"),
        " ".join((*TENANTS, *NODES, *NODES.values())),
    )
    folder = IMAGES / name
    if not folder.exists():
        build_in(folder, build_node)
    return NodeImage(
        name, folder / "disk.img", folder / "vmlinuz", folder / "initrd", folder / "known_hosts"
    )


def ceph_root(release: str) -> Path:
    """A Debian root with that release's Ceph in it, built once."""
    folder = IMAGES / ("ceph-" + recipe(release, CEPH_PACKAGES))
    if not folder.exists():
        build_in(folder, lambda target: build_ceph_root(target, release))
    return folder


def make_ssh_key() -> None:
    if not SSH_KEY.exists():
        IMAGES.mkdir(parents=True, exist_ok=True)
        run("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "operator", "-f", SSH_KEY)


def build_in(folder: Path, build: Callable[[Path], None]) -> None:
    """Build beside the final place and rename: a half-built image is never used."""
    free = shutil.disk_usage(folder.parent).free
    if free < SPACE_NEEDED:
        raise LabError(
            f"{folder.parent}: {free >> 30} GiB free, an image needs {SPACE_NEEDED >> 30}; set CEPHCTL_LAB_DIR"
        )
    for left_over in folder.parent.glob("*.part"):
        shutil.rmtree(left_over)
    work = folder.with_suffix(".part")
    work.mkdir(parents=True)
    print(f"building {folder.name}; this takes some minutes, once", flush=True)
    build(work)
    work.rename(folder)
    forget(folder, f"{folder.name.partition('-')[0]}-*")


def forget(keep: Path, pattern: str) -> None:
    """Remove what former recipes made."""
    for folder in keep.parent.glob(pattern):
        if folder != keep:
            shutil.rmtree(folder)


def debootstrap(suite: str, root: Path, packages: Sequence[str] = ()) -> None:
    """A minimal Debian from the mirror this machine's apt uses."""
    include = [f"--include={','.join(packages)}"] if packages else []
    try:
        run("debootstrap", "--variant=minbase", *include, suite, root, mirror(), timeout=1500)
    except LabError as error:
        raise LabError(
            f"debootstrap of {suite}: {error}; see {root}/debootstrap/debootstrap.log"
        ) from None


def mirror() -> str:
    """The first archive that apt on this machine is set up with."""
    sites = run("apt-get", "indextargets", "--format", "$(REPO_URI)").split()
    if not sites:
        raise LabError("apt knows no package archive; run 'apt-get update' first")
    return sites[0]


def build_node(work: Path) -> None:
    root = work / "root"
    debootstrap("bookworm", root, NODE_PACKAGES.split())
    shutil.copytree(FILES / "rootfs", root, dirs_exist_ok=True)
    configure_node(root)
    make_host_keys(root, work / "known_hosts")
    kernel = unpack_kernel(root)
    build_initrd(root / "lib/modules" / kernel, work / "initrd")
    shutil.copy(root / f"boot/vmlinuz-{kernel}", work / "vmlinuz")
    run("mkfs.ext4", "-q", "-F", "-d", root, work / "disk.img", f"{DISK_MIB}M")
    shutil.rmtree(root)


def configure_node(root: Path) -> None:
    """The operator's login, the tenants' users, the units, the mount point."""
    inside = ["chroot", str(root)]
    run(*inside, "useradd", "-m", "-p", "*", "-s", "/bin/bash", "ubuntu")
    for uid, tenant in enumerate(TENANTS, start=FIRST_UID):
        run(*inside, "useradd", "-u", str(uid), "-s", "/usr/sbin/nologin", "-M", tenant)
    ssh = root / "home/ubuntu/.ssh"
    ssh.mkdir(mode=0o700)
    shutil.copy(SSH_KEY.with_suffix(".pub"), ssh / "authorized_keys")
    run(*inside, "chown", "-R", "ubuntu:ubuntu", "/home/ubuntu")
    (root / "etc/sudoers.d/ubuntu").chmod(0o440)
    (root / "var/www/storage").mkdir(parents=True)
    (root / "etc/ceph").mkdir(exist_ok=True)
    for key in root.glob("etc/ssh/ssh_host_*"):
        key.unlink()
    (root / "etc/nginx/sites-enabled/default").unlink(missing_ok=True)
    add_platform(root)
    run(*inside, "systemctl", "enable", "node-setup.service")
    run(*inside, "systemctl", "disable", "nginx.service")
    run(*inside, "systemctl", "mask", *MASKED.split())
    generators = root / "etc/systemd/system-generators"
    generators.mkdir(parents=True, exist_ok=True)
    for generator in GENERATORS_MASKED:
        (generators / f"systemd-{generator}-generator").symlink_to("/dev/null")
    shutil.rmtree(root / "var/cache/apt", ignore_errors=True)
    shutil.rmtree(root / "var/lib/apt/lists", ignore_errors=True)


def add_platform(root: Path) -> None:
    """What the platform adds to a booted machine, laid out where `PLATFORM_ON` finds it: the first boot must not mount."""
    platform = root / "usr/local/share/platform"
    shutil.copytree(FILES / "platform", platform)
    sites = platform / "etc/nginx/sites-enabled"
    sites.mkdir(parents=True)
    for tenant in TENANTS:
        (sites / f"{tenant}.conf").write_text(
            (FILES / "tenant.conf").read_text().replace("TENANT", tenant)
        )


def make_host_keys(root: Path, known_hosts: Path) -> None:
    """A host key for each node that this image will be; who knows them trusts nothing else."""
    keys = root / "etc/ssh/host-keys"
    keys.mkdir(mode=0o700)
    lines = []
    for node, address in NODES.items():
        run("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", node, "-f", keys / node)
        lines.append(f"{address},{node} {(keys / node).with_suffix('.pub').read_text()}")
    known_hosts.write_text("".join(lines))


def unpack_kernel(root: Path) -> str:
    """Debian's own kernel, without the tools its package would pull in; returns its release."""
    package = run("apt-cache", "depends", "linux-image-amd64").split("Depends:")[1].split()[0]
    boot = root.parent / "kernel"
    boot.mkdir()
    subprocess.run(
        ["apt-get", "-o", "APT::Sandbox::User=root", "download", "-qq", package],
        cwd=boot,
        check=True,
    )
    run("dpkg-deb", "-x", next(boot.glob("*.deb")), boot)
    release = next((boot / "lib/modules").iterdir()).name
    source, target = boot / "lib/modules" / release, root / "lib/modules" / release
    for part in MODULES:
        copy = shutil.copytree if (source / "kernel" / part).is_dir() else shutil.copy
        (target / "kernel" / part).parent.mkdir(parents=True, exist_ok=True)
        copy(source / "kernel" / part, target / "kernel" / part)
    for index in source.glob("modules.*"):
        shutil.copy(index, target)
    run("chroot", root, "depmod", release)
    shutil.copy(boot / f"boot/vmlinuz-{release}", root / "boot")
    shutil.rmtree(boot)
    return release


def build_initrd(modules: Path, target: Path) -> None:
    tree = target.parent / "initramfs"
    (tree / "bin").mkdir(parents=True)
    (tree / "modules").mkdir()
    shutil.copy("/bin/busybox", tree / "bin")
    shutil.copy(FILES / "init", tree / "init")
    for part in MODULES_AT_BOOT:
        path = modules / "kernel" / part
        for module in path.rglob("*.ko") if path.is_dir() else [path]:
            shutil.copy(module, tree / "modules")
    names = "\n".join(str(file.relative_to(tree)) for file in sorted(tree.rglob("*")))
    archive = subprocess.run(["cpio", "-o", "-H", "newc", "--quiet"], input=names.encode(), cwd=tree, capture_output=True, check=True)  # fmt: skip
    target.write_bytes(archive.stdout)
    shutil.rmtree(tree)


def build_ceph_root(root: Path, release: str) -> None:
    # debootstrap of bookworm fails with these packages in --include.
    debootstrap(release, root)
    for file in ("/etc/resolv.conf", "/etc/hosts"):
        if Path(file).exists():
            shutil.copy(file, root / file[1:])
    (root / "etc/apt/apt.conf.d/lab").write_text(
        'Acquire::Check-Valid-Until "false";\nAcquire::Check-Date "false";\n'
    )
    inside = ["chroot", str(root), "env", "DEBIAN_FRONTEND=noninteractive"]
    run(*inside, "apt-get", "update", "-qq")
    run(
        *inside,
        "apt-get",
        "install",
        "-qq",
        "-y",
        "--no-install-recommends",
        *CEPH_PACKAGES.split(),
        timeout=1500,
    )
