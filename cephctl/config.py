"""cephctl.toml: where the cluster is, as whom to log in, and which web nodes there are."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from cephctl.errors import NotFound, UsageError
from cephctl.parse import Json
from cephctl.results import Column, Record

SYSTEM_PATH = "/etc/cephctl/cephctl.toml"


@dataclass(frozen=True)
class Setting:
    """One setting of the file: where it stands, what it must be, and what holds without it."""

    section: str
    name: str
    type: type
    default: Json
    meaning: str

    @property
    def key(self) -> str:
        return f"{self.section}.{self.name}"

    @property
    def variable(self) -> str:
        prefix = "" if self.section == "ceph" else f"{self.section.upper()}_"
        return f"CEPHCTL_{prefix}{self.name.upper()}"


SETTINGS = (
    Setting("ceph", "conf", str, "/etc/ceph/ceph.conf", "the cluster's ceph.conf"),
    Setting("ceph", "name", str, "client.cephctl", "the entity to log in as"),
    Setting("ceph", "keyring", str, None, "its keyring; default: Ceph's search list"),
    Setting("ceph", "filesystem", str, None, "the CephFS to work on; default: the only one"),
    Setting("ceph", "timeout", float, 10.0, "seconds to wait for an answer of the cluster"),
    Setting("tenants", "root", str, "/", "the directory of the file system that holds the tenants"),
    Setting("mount", "path", str, "/var/www/storage", "where the web nodes mount the file system"),
    Setting("mount", "root", str, "/", "the directory of the file system that they mount"),
    Setting("mount", "entity", str, "client.web", "the entity that they mount it as"),
    Setting("mount", "options", str, "noatime", "their further mount options"),
    Setting(
        "mount",
        "sentinel",
        str,
        ".cephctl-sentinel",
        "the file below the path that the OSD probe reads",
    ),
    Setting(
        "haproxy",
        "socket",
        str,
        None,
        "HAProxy's admin socket: a path, or HOST:PORT; without it nodes are changed under load",
    ),
    Setting(
        "haproxy",
        "backend",
        str,
        None,
        "its backend; default: the node's shard. Each server is named like its node",
    ),
    Setting(
        "runs",
        "directory",
        str,
        "/var/lib/cephctl/runs",
        "the directory of the journals of rotations",
    ),
    Setting("ssh", "config", str, None, "an ssh_config file; default: the user's and the system's"),
    Setting("ssh", "timeout", float, 30.0, "seconds to wait for an answer of a node"),
)
NODE_SETTINGS = {"address": str, "shard": str}


@dataclass(frozen=True)
class Node(Record):
    """A web node of the inventory. `address` is the one it talks to Ceph from."""

    name: str
    address: str
    shard: str

    columns = (Column("name", "NODE"), Column("address", "ADDRESS"), Column("shard", "SHARD"))


@dataclass(frozen=True)
class SettingValue(Record):
    """A setting's value, and where it came from: a file, an environment variable, the command line,
    the default.
    """

    setting: str
    value: str | float | None
    source: str

    columns = (Column("setting", "SETTING"), Column("value", "VALUE"), Column("source", "SOURCE"))


@dataclass(frozen=True)
class Value:
    """A setting's value, and which of the four places it came from."""

    value: Json
    source: str


@dataclass(frozen=True)
class Config:
    """All settings, each with its source, and the inventory."""

    path: str | None
    values: Mapping[str, Value]
    nodes: tuple[Node, ...]

    def __getitem__(self, key: str) -> Json:
        return self.values[key].value

    def check_nodes(self, names: Iterable[str]) -> None:
        """Raise NotFound, with the names like it, for a name that is not in the inventory."""
        known = [node.name for node in self.nodes]
        for name in names:
            if name not in known:
                raise unknown_node(name, known)

    def choose(
        self, names: Sequence[str], everything: bool, default_all: bool = False
    ) -> list[Node]:
        """The nodes that were named, by name or shard, in the inventory's order; without a name all
        of them, if `everything` or `default_all`.
        """
        if not self.nodes:
            raise UsageError(
                "there are no web nodes in the configuration",
                "add each to cephctl.toml: [nodes.NAME] with address and shard",
            )
        if everything and names:
            raise UsageError("--all cannot be combined with NODE or SHARD")
        if everything or (default_all and not names):
            return list(self.nodes)
        if not names:
            raise UsageError("specify NODE, SHARD or --all")
        shards = {node.shard for node in self.nodes}
        self.check_nodes([name for name in names if name not in shards])
        return [node for node in self.nodes if node.name in names or node.shard in names]


def unknown_node(name: str, known: Iterable[str]) -> NotFound:
    import difflib

    near = difflib.get_close_matches(name, list(known), n=3)
    hint = (
        f"did you mean {', '.join(near)}?"
        if near
        else f"add it to cephctl.toml: [nodes.{name}] with address and shard"
    )
    return NotFound(f"no node {name} in the inventory", hint)


def load(path: str | None, flags: Mapping[str, Json], environment: Mapping[str, str]) -> Config:
    """The configuration: flags before environment before file before default.

    `flags` are by setting name, None where not given. Raises UsageError, naming file and key, for
    whatever is wrong.
    """
    file = find(path, environment)
    content = read(file) if file else {}
    check_sections(content, file)
    values = {
        setting.key: value_of(setting, flags, environment, content, file) for setting in SETTINGS
    }
    check_values(values)
    return Config(file, values, tuple(nodes_of(content, file)))


def find(path: str | None, environment: Mapping[str, str]) -> str | None:
    """The file that counts: the one that was named, else the user's, else the system's, else
    none.
    """
    if named := path or environment.get("CEPHCTL_CONFIG"):
        return named
    return next(
        (each for each in (user_path(environment), SYSTEM_PATH) if os.path.exists(each)), None
    )


def user_path(environment: Mapping[str, str]) -> str:
    home = environment.get("XDG_CONFIG_HOME") or os.path.expanduser("~/.config")
    return os.path.join(home, "cephctl/cephctl.toml")


def read(file: str) -> dict[str, Json]:
    import tomllib

    try:
        with open(file, "rb") as stream:
            return tomllib.load(stream)
    except FileNotFoundError:
        raise UsageError(
            f"no configuration at {file}", "'cephctl config init' writes one"
        ) from None
    except OSError as error:
        raise UsageError(f"configuration {file} cannot be read: {error.strerror}") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise UsageError(f"configuration {file} is not valid TOML: {error}") from None


def check_sections(content: Mapping[str, Json], file: str | None) -> None:
    """Every section and key is known; a near miss is named."""
    known: dict[str, list[str]] = {"nodes": []}
    for setting in SETTINGS:
        known.setdefault(setting.section, []).append(setting.name)
    for section, keys in content.items():
        check_key(section, known, file, "section", "")
        if not isinstance(keys, dict):
            raise UsageError(f"{file}: '{section}' must be a section: [{section}]")
        for key in keys if section != "nodes" else ():
            check_key(key, known[section], file, "setting", f" in [{section}]")


def check_key(key: str, known: Iterable[str], file: str | None, what: str, where: str) -> None:
    if key in known:
        return
    import difflib

    near = difflib.get_close_matches(key, list(known), n=1)
    hint = f"did you mean '{near[0]}'?" if near else f"known are: {', '.join(known)}"
    raise UsageError(f"{file}: unknown {what} '{key}'{where}", hint)


def value_of(
    setting: Setting,
    flags: Mapping[str, Json],
    environment: Mapping[str, str],
    content: Mapping[str, Json],
    file: str | None,
) -> Value:
    if setting.section == "ceph" and flags.get(setting.name) is not None:
        return Value(typed(setting, flags[setting.name], "command line"), "command line")
    for variable in (
        (setting.variable, "CEPH_CONF") if setting.name == "conf" else (setting.variable,)
    ):
        if environment.get(variable):
            return Value(typed(setting, environment[variable], variable), variable)
    found = content.get(setting.section, {}).get(setting.name)
    if found is not None:
        return Value(typed(setting, found, str(file)), str(file))
    return Value(setting.default, "default")


def typed(setting: Setting, value: Json, source: str) -> Json:
    """The value as its setting's type; text that came from outside TOML may spell a number."""
    if isinstance(value, bool) or not isinstance(value, (setting.type, str, int)):
        raise UsageError(
            f"{source}: {setting.key} must be a {type_name(setting.type)}, not {value!r}"
        )
    if setting.type is str and not isinstance(value, str):
        raise UsageError(f"{source}: {setting.key} must be a string, not {value!r}")
    try:
        return setting.type(value)
    except ValueError:
        raise UsageError(
            f"{source}: {setting.key} must be a {type_name(setting.type)}, not {value!r}"
        ) from None


def type_name(kind: type) -> str:
    return {"str": "string", "float": "number"}[kind.__name__]


def check_values(values: Mapping[str, Value]) -> None:
    """Rules that one value alone can break."""
    for key in ("ceph.timeout", "ssh.timeout"):
        timeout = values[key]
        if not 1 <= timeout.value <= 3600:
            raise UsageError(
                f"{timeout.source}: timeout must be between 1 and 3600 seconds, not "
                f"{timeout.value:g}"
            )
    for key, example in (("ceph.name", "client.cephctl"), ("mount.entity", "client.web")):
        name = values[key]
        if not name.value.startswith("client.") or name.value == "client.":
            raise UsageError(
                f"{name.source}: '{name.value}' is not a client entity",
                f"write it as client.NAME, such as {example}",
            )
    for key, meaning in (
        ("tenants.root", "/tenants"),
        ("mount.root", "/web"),
        ("mount.path", "/var/www/storage"),
        ("runs.directory", "/var/lib/cephctl/runs"),
    ):
        path = values[key]
        if os.path.normpath(path.value) != path.value or not path.value.startswith("/"):
            raise UsageError(
                f"{path.source}: {key} must be an absolute path, such as {meaning}, not "
                f"'{path.value}'"
            )


def nodes_of(content: Mapping[str, Json], file: str | None) -> list[Node]:
    """The inventory: [nodes.NAME] with an address and a shard."""
    nodes = []
    for name, keys in content.get("nodes", {}).items():
        if not isinstance(keys, dict):
            raise UsageError(f"{file}: 'nodes.{name}' must be a section: [nodes.{name}]")
        for key, value in keys.items():
            check_key(key, NODE_SETTINGS, file, "setting", f" in [nodes.{name}]")
            if not isinstance(value, str):
                raise UsageError(f"{file}: nodes.{name}.{key} must be a string, not {value!r}")
        if missing := [key for key in NODE_SETTINGS if key not in keys]:
            raise UsageError(f"{file}: [nodes.{name}] has no {missing[0]}")
        nodes.append(Node(name, keys["address"], keys["shard"]))
    return nodes


def template() -> str:
    """A cephctl.toml with every setting, its meaning and its default."""
    lines = ["# cephctl's configuration. What is commented out shows the default."]
    for section in dict.fromkeys(setting.section for setting in SETTINGS):
        lines += ["", f"[{section}]"]
        for setting in SETTINGS:
            if setting.section == section:
                lines += [f"# {setting.meaning}", f"#{setting.name} = {toml_value(setting)}"]
    lines += [
        "",
        "# The web nodes: one section each. The address is the one the node talks to Ceph from.",
    ]
    lines += ["#[nodes.web-1-node-0]", '#address = "10.10.10.10"', '#shard = "web-1"']
    return "\n".join(lines) + "\n"


def toml_value(setting: Setting) -> str:
    if setting.default is None:
        return '""'
    return f'"{setting.default}"' if isinstance(setting.default, str) else f"{setting.default:g}"
