"""From a frozen request to a picture: backends, synthesizer, refinement."""
