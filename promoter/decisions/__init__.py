"""Pure verbs: facts in, verdict out. No I/O and no clock: both arrive as arguments."""
