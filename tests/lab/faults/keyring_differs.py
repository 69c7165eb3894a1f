"""Somebody rewrote the keyring and not the secret file."""

from __future__ import annotations

from tests.lab.faults.fault import KEYRING, Fault, Scene


def inject(scene: Scene) -> None:
    scene.on(f"ceph-authtool {KEYRING} -n client.web --gen-key")


FAULT = Fault("KEYRING_DIFFERS", inject, severity="HEALTH_WARN", status=0)
