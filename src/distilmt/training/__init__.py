"""Batches, the fast forward pass, the optimizer and the training loop."""
