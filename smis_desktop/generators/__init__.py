"""Generators behind one protocol: MobileStyleGAN, StyleGAN2, their files and imports."""
