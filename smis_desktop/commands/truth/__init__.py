"""Measuring against rendered landscapes, whose classes are known exactly."""
