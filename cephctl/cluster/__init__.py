"""What the cluster says of itself, and what can be changed in it."""
