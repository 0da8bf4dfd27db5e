"""One stage a file. The registry of the nine is :mod:`pipeline.stages.registry`."""
