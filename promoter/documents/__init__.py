"""Text: parse and print. No file is opened here."""
