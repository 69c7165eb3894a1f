"""The key is changed in the cluster; the mount lives on old tickets."""

from __future__ import annotations

from tests.lab.faults.fault import Fault, Scene
from tests.lab.faults.keys import new_key


def inject(scene: Scene) -> None:
    new_key(scene)


FAULT = Fault(
    "KEY_MISMATCH",
    inject,
    severity="HEALTH_WARN",
    status=0,
    wide=True,
    releases=("bookworm", "trixie"),
)
