"""What is wrong with a web node's mount, from both sides: facts, checks, and a verdict."""
