"""Cost model, learning curves, recommendations."""
