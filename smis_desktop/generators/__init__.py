"""Generators behind one interface: MobileStyleGAN and StyleGAN2, their files, imported checkpoints."""
