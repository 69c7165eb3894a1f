"""The unit says name=client.web."""

from __future__ import annotations

from tests.lab.faults.fault import Fault

FAULT = Fault(
    "NAME_PREFIXED",
    lambda scene: scene.unmounted_with(scene.edit_unit("s/name=web/name=client.web/")),
)
