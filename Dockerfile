# The echo service's image: dependencies in one layer, the application in another, on a base that runs Python and nothing else.
#
# Plain use downloads from PyPI, held to the hashes of the lock:   docker build .
# The pipeline passes its own two bases (made from locked Debian packages), puts verified wheels into wheelhouse/, and turns
# the network off. Needs no BuildKit. Both bases must have the same Python: bytecode is compiled in the first for the second.
ARG BUILDER_IMAGE=python:3.13-slim-trixie
ARG RUNTIME_IMAGE=python:3.13-slim-trixie


# hadolint ignore=DL3006  # the tag or the image id is in the build argument
FROM ${BUILDER_IMAGE} AS dependencies
ENV PYTHONDONTWRITEBYTECODE=1 PYTHONPYCACHEPREFIX=/opt/bytecode
# The pattern is no error when there is no wheelhouse/; the lock beside it keeps the list of sources from being empty.
COPY service/requirements.txt wheelhouse* /wheelhouse/
RUN set -eu; \
    for wheel in /wheelhouse/*.whl; do if [ -e "$wheel" ]; then set -- --no-index --find-links /wheelhouse; fi; done; \
    python3 -m pip install "$@" --no-cache-dir --no-compile --no-deps --only-binary :all: --require-hashes \
        --disable-pip-version-check --root-user-action ignore --target /opt/site-packages \
        --requirement /wheelhouse/requirements.txt; \
    rm -rf /opt/site-packages/bin; \
    # What a start imports is compiled ahead, the standard library's part too: under a read-only root Python compiles
    # nothing. "unchecked-hash" bytecode is valid whatever the files' times are.
    # The last three are what gunicorn, the factory and the first request ask for later.
    PYTHONPATH=/opt/site-packages python3 -c 'import environs, flask, gunicorn.app.wsgiapp, gunicorn.workers.gthread, sys; \
        import encodings.idna, logging.config, werkzeug.middleware.proxy_fix; \
        print(*sorted(m.__file__ for m in list(sys.modules.values()) if getattr(m, "__cached__", "")), sep="\n")' > /imported; \
    python3 -m compileall -q --invalidation-mode unchecked-hash -i /imported; \
    mkdir -p /image/app; \
    mv /opt /image/opt; \
    find /image -exec touch -h -d @0 {} +


# hadolint ignore=DL3006  # as above
FROM ${BUILDER_IMAGE} AS application
ENV PYTHONPYCACHEPREFIX=/opt/bytecode
# Leaves the bytecode of the compiler's own modules behind: this step stays cached, and every later one starts with them.
RUN mkdir /empty; python3 -m compileall -q --invalidation-mode unchecked-hash /empty
COPY service /app/service
# The modes of a checkout depend on its owner's umask, the times on the clock: neither may show in the image.
RUN set -eu; \
    chmod -R u=rwX,go=rX /app; \
    python3 -m compileall -q --invalidation-mode unchecked-hash /app/service; \
    mkdir -p /image/opt/bytecode; \
    mv /opt/bytecode/app /image/opt/bytecode/app; \
    mv /app /image/app; \
    find /image -exec touch -h -d @0 {} +


# hadolint ignore=DL3006  # as above
FROM ${RUNTIME_IMAGE}
ARG IMAGE_TITLE="echo service"
ARG IMAGE_DESCRIPTION="Answers with what it was sent: the service that the pipeline is shown and tested on"
ARG IMAGE_LICENSES="MIT"
ARG IMAGE_SOURCE=""
ARG IMAGE_VENDOR="The proven-pipeline authors"
ARG IMAGE_VERSION="0"
ENV MODE_CONFIG=Production \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONPATH=/opt/site-packages \
    PYTHONPYCACHEPREFIX=/opt/bytecode \
    PYTHONUNBUFFERED=1
# Neither the revision nor the time of the build is here: the same content is to have the same digest.
LABEL org.opencontainers.image.title="${IMAGE_TITLE}" \
      org.opencontainers.image.description="${IMAGE_DESCRIPTION}" \
      org.opencontainers.image.authors="${IMAGE_VENDOR}" \
      org.opencontainers.image.vendor="${IMAGE_VENDOR}" \
      org.opencontainers.image.licenses="${IMAGE_LICENSES}" \
      org.opencontainers.image.source="${IMAGE_SOURCE}" \
      org.opencontainers.image.version="${IMAGE_VERSION}"
EXPOSE 5000
STOPSIGNAL SIGTERM
USER 65532:65532
HEALTHCHECK --interval=10s --timeout=3s --start-period=15s --retries=3 CMD ["python3", "-m", "service.health"]
CMD ["python3", "-m", "gunicorn", "--config", "service/gunicorn.conf.py", "service.app:APP"]
COPY --from=dependencies /image /
WORKDIR /app
# Last, so that a change of the service carries out nothing else anew.
COPY --from=application /image /
