"""Widgets, theme and image conversion that several parts of the window share."""
