"""What is said of an image, signed: statements, envelopes, signatures, how they lie in a registry, and their checking.

Values and functions of values, but for :mod:`.attaching` and :mod:`.reading`, which speak to a registry through its
Protocol.
"""
