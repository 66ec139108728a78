"""Nouns: frozen, compared by value. No I/O and no clock."""
