"""The big models: what they say, and how likely every word was to them."""
