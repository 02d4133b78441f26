"""SMIS Desktop: paint a semantic layout, see a photograph of it."""

__version__ = "0.4.0"
