"""What a node's mount is made of."""
