"""emfppl: a probabilistic programming language whose programs compile into flows."""
