"""The canvas: the layout on screen, and input from pointer and keys."""
