"""Tenants: directories with quotas."""
