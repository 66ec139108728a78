"""A version is looked at, loaded and asked before it serves anybody, in processes of their own.

A SavedModel is a program, and TensorFlow is no sandbox. So a version's graph is parsed in one process (`scan`), and
only what passed there is loaded in another (`runner`); both are held by `promoter.leash` and `child`. `verify` asks
them and puts together what was found. Needs the extra `verify`.
"""
