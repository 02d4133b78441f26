"""Generators behind one protocol, and the encoder network."""
