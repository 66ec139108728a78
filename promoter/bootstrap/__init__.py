"""What a cluster with Argo CD needs once: namespaces, guard rails, the ApplicationSet, an account that may only read.

The manifests are YAML with comments, for people to read before they apply them; `promoter.cli.bootstrap` shows them or
hands them to kubectl.
"""
