"""What `smis bench` measures, one subject a module."""
