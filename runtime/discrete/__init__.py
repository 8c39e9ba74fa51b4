"""Summing out finite discrete variables: lifted statements (`lift`), their tables (`tables`), a plan of eliminations (`plan`) and
what it gives (`elimination`)."""
