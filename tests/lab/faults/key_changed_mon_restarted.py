"""The key is changed and the monitor restarts: the mounts try to log in, and are refused."""

from __future__ import annotations

from functools import partial

from tests.lab.faults.fault import Fault, Scene
from tests.lab.faults.keys import new_key
from tests.lab.places import NODES
from tests.lab.shell import wait_until

REFUSED = "dmesg | tail -20 | grep -q 'authentication failed: -13'"


def inject(scene: Scene) -> None:
    new_key(scene)
    scene.kill("mon.a")
    scene.lab.cluster.start("mon.a")
    for node in NODES:
        wait_until("the kernel to be refused", partial(is_refused, scene, node), 60, every=2)


def is_refused(scene: Scene, node: str) -> bool:
    return scene.on(REFUSED, check=False, node=node) == 0


FAULT = Fault("AUTH_REFUSED", inject, wide=True)
