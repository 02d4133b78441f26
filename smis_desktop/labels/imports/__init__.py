"""Layouts from other programs and datasets: each becomes a proposal that a person can look at and correct."""
