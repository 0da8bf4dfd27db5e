"""Adapters of container engines, and of registries, onto the Protocols of :mod:`pipeline.core.containers`.

Imports ``pipeline.core`` and ``pipeline.errors``, nothing else of ours.
"""
