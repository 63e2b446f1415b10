"""Errors, files and run directories, progress, hardware, languages."""
