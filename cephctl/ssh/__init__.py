"""Web nodes, over SSH."""
