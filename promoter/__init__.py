"""Promoter: serves TensorFlow models from Git, and lets evidence decide what a commit says next."""
