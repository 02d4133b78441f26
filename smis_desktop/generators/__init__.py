"""Generators behind one interface: MobileStyleGAN and StyleGAN2, their weight files, and imported checkpoints."""
