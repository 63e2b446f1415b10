"""One module a source or file format of corpora."""
