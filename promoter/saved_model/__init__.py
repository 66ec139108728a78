"""SavedModels read and run: TensorFlow's messages, tensors and files, and its C library.

Nothing here imports the package `tensorflow`, which takes seconds and hundreds of megabytes; it needs to be installed.
"""
