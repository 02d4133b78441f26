"""StyleGAN2 checkpoints of other programs, read as data: no code in them is ever run. Nothing here imports torch."""
