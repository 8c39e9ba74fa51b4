"""The layers of density estimators, one kind or two a file."""
