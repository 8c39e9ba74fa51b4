"""Optimisers: the mode by damped Newton, and Adam in lanes and rounds with a stop rule that knows the noise."""
