"""Exported models behind LibreTranslate's API: sentences of all clients share batches, models load on demand."""
