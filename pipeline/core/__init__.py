"""Values and functions of values: the part of the pipeline that touches nothing (see README.md beside this file)."""
