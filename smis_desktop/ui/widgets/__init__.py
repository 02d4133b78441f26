"""Widgets and helpers of appearance that several parts share."""
