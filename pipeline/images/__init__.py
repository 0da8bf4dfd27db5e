"""Base images as bytes: Debian packages and their lock in, a deterministic image archive out.

Pure functions of values, bytes and streams: nothing here opens a socket, starts a process or asks the clock, so that
the same lock gives the same image on every machine. Imports nothing of ours but ``pipeline.core`` and
``pipeline.errors``. Fetching the packages is ``pipeline.execution.debian_archive``; loading the archive is the engine's
business.
"""
