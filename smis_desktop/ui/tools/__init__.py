"""The tools of the canvas: what the pointer does, one file each."""
