"""Backbones: what shapes the noise before the program's own map turns it into values."""
