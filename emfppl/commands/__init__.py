"""The commands of `emf`, one a file."""
