"""A personal model: label transfer and encoder, and its file."""
