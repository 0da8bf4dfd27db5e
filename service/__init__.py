"""The echo microservice: a small but complete service, for the pipeline to test, build and ship."""

# Here and not in the settings, because the health check asks for it too and must start without
# loading the libraries that the settings need.
DEFAULT_PORT = 5000
