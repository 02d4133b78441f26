"""Everything Qt: the window, the canvas, the docks."""
