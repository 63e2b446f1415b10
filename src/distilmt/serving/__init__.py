"""HTTP server for exported models with LibreTranslate's API: batches across clients, models loaded on demand."""
