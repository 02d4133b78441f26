"""Rendered landscapes whose class maps are known exactly: what the generator `landscapes` is trained on."""
