"""The checks of `node doctor`, a module for each part of the way from a node to its files."""
