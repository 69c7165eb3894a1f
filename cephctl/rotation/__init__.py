"""Rotate a CephX key, one node after the other."""
