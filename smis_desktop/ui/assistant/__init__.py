"""The assistant: from a few photos to a personal model, in four steps."""
