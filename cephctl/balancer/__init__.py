"""HAProxy in front of the web nodes."""
