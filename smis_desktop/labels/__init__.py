"""The document: label maps, palette, brush, edits and history, and the label file formats."""
