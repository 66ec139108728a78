"""Figures beside their bars: speed and memory are measured here, never in a timed test."""
