"""Measurements: speed, quality, and ground truth."""
