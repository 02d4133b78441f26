"""The style that a newcomer sees first."""

FIRST_SEED = 4
"""Daylight and natural skin; seed 0 happens to be a magenta one."""
