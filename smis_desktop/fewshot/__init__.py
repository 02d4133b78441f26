"""The few-shot method: inversion, representative vectors, pseudo labels, encoder training, refinement."""
