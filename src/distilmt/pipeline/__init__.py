"""The steps of a run: what each reads, what affects it, its record."""
