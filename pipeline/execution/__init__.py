"""The effects: processes, files, clocks, git, environments. Imports ``pipeline.core`` and pure or leaf modules only."""
