"""The command line: arguments, settings, adapters, one pass, exit status."""
