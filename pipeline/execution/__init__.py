"""The effects: processes, files, clocks, git, environments. Imports ``pipeline.core`` and the leaf modules, nothing else of ours."""
