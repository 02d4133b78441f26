"""Work that runs beside the window, and its messages. No Qt."""
