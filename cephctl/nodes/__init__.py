"""Change web nodes: mount, remount, push, drain."""
