"""Translation with an exported model, without torch."""
