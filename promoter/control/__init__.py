"""The shell: the only order of events."""
