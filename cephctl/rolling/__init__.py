"""Changes that go over several nodes, one after the other."""
