"""Nothing is mounted, and an upload went to the bare directory."""

from __future__ import annotations

from tests.lab.faults.fault import PATH, Fault, Scene


def inject(scene: Scene) -> None:
    scene.unmount()
    scene.on(f"mkdir -p {PATH}/acme/home && echo lost >{PATH}/acme/home/upload")


def nothing_lost(scene: Scene) -> None:
    assert scene.on(f"grep -q lost {PATH}.shadowed-*/acme/home/upload", check=False) == 0
    scene.on(f"rm -r {PATH}.shadowed-*")


FAULT = Fault("SHADOWED_FILES", inject, after=nothing_lost)
