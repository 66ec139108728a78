"""The outside: one world a module; none knows another."""
