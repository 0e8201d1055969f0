"""Deduplication at scale: exact, lexical and structural duplicates, and splits without leaks."""
