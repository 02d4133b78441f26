"""The canvas: the layout on screen, and the pointer on it."""
