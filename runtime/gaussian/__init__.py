"""Gaussian blocks: the quadratic form of latents that are jointly Gaussian given the others, and what is done with it."""
