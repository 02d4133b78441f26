"""File formats: projects, layouts, layered files, photos, shots, films."""
