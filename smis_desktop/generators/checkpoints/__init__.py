"""Other people's StyleGAN2 checkpoints, read without running anything that is in them. No torch in here."""
