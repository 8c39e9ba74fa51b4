"""Stan's syntax: its tree, and the way from text to tree."""
