"""One suite for the service, in process or against any address; conftest.py says how it chooses."""
