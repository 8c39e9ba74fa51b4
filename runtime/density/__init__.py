"""Density estimators: stacks of layers between standard normal noise and data, trained by maximum likelihood."""
