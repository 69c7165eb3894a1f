"""Operate CephFS for a web-hosting platform: tenants' quotas, web nodes' mounts, CephX keys."""

__version__ = "0.1.0"
