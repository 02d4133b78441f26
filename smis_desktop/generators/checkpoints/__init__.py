"""StyleGAN2 checkpoints of other programs, read as data: nothing in them is ever run. Nothing here imports torch."""
