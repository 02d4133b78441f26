"""Files on disk: generators, personal models and pictures, all written atomically."""
