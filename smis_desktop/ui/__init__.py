"""The window: everything that speaks Qt."""
