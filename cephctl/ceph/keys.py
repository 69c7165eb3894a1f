"""Entities and their keys, read and changed through the monitors; runs in a worker."""

from __future__ import annotations

from collections.abc import Generator, Mapping
from dataclasses import dataclass, field

from cephctl.ceph.commands import Cluster
from cephctl.cephx import MalformedKey, keyring_text, parse_key
from cephctl.errors import NotFound, UnexpectedAnswer
from cephctl.parse import Json


@dataclass(frozen=True)
class Entity:
    """An entity as the monitors have it. Its key is in `key` alone, which no repr shows. `created`
    is seconds since the epoch.
    """

    name: str
    caps: Mapping[str, str]
    type: str
    created: float
    fingerprint: str
    pending: bool
    key: str = field(repr=False)


def read_entity(name: str, cluster: Cluster) -> Generator[Entity | None]:
    """One answer: the entity, or None."""
    yield find_entity(name, cluster)


def find_entity(name: str, cluster: Cluster) -> Entity | None:
    try:
        [found] = cluster.command("auth get", entity=name)
    except NotFound:
        return None
    return entity_of(found)


def read_entities(cluster: Cluster) -> Generator[Entity]:
    """Every entity of the cluster, daemons' too."""
    for found in cluster.command("auth ls")["auth_dump"]:
        yield entity_of(found)


def entity_of(found: Json) -> Entity:
    try:
        key = parse_key(found["key"])
    except MalformedKey as error:
        raise UnexpectedAnswer(f"the cluster's key of {found['entity']} is {error}") from None
    pending = bool(found.get("pending_key"))
    return Entity(
        found["entity"],
        dict(found["caps"]),
        key.type,
        key.created.timestamp(),
        key.fingerprint,
        pending,
        found["key"],
    )


def import_entity(
    name: str, key: str, caps: Mapping[str, str], cluster: Cluster
) -> Generator[Entity | None]:
    """Make the entity what is given, key and all caps at once, whether it is there or not; one
    answer: what it is now.
    """
    # By hand in its place: 'auth import' creates and replaces alike, and is the only way to do both
    # to a key on 16.2.
    cluster.command("auth import", stdin=keyring_text(name, key, caps))
    yield find_entity(name, cluster)


def change_caps(name: str, caps: Mapping[str, str], cluster: Cluster) -> Generator[Entity | None]:
    """All services at once: `auth caps` deletes what it does not name."""
    cluster.command("auth caps", entity=name, caps=[word for pair in caps.items() for word in pair])
    yield find_entity(name, cluster)


def remove_entity(name: str, cluster: Cluster) -> Generator[None]:
    """Whether it was there or not."""
    if find_entity(name, cluster):
        cluster.command("auth rm", entity=name)
    yield None
