"""Measurements: speed, quality, ground truth."""
