"""Whole recordings of speech: segments with their translations, subtitles, records with times, and live speech."""
