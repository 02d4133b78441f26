"""Few-shot training: inversion, pseudo-labelled samples, the encoder."""
