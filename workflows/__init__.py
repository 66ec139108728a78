"""The workflows that make a version: trained, exported, evaluated, verified and published, here or in pods.

Each step is a plain function. What a cluster needs to run them is said with Hera, and rendered to the YAML beside it.
"""
