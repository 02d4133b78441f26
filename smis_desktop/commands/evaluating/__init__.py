"""What `smis evaluate` measures."""
