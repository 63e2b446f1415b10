"""Corpora and vocabularies: sentence pairs in, cleaned splits and a tokenizer out."""
