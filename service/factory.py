"""The application factory. Importing it has no effect, unlike ``service.app``, which starts one."""

from flask import Flask
from werkzeug.middleware.proxy_fix import ProxyFix

from service import errors, hooks, routes
from service.settings import Config


def create_app(config: Config) -> Flask:
    """Build the service for ``config``; two applications share nothing but the drain."""
    app = Flask(__name__, static_folder=None)
    app.config.from_mapping(
        SECRET_KEY=config.credentials.secret_key,
        TRUSTED_HOSTS=config.serving.trusted_hosts,
        TESTING=config.TESTING,
        # Every method that answers is in the OpenAPI document; Flask's own OPTIONS would not be.
        PROVIDE_AUTOMATIC_OPTIONS=False,
        SETTINGS=config,
    )
    # "/echo//x" is an unknown path. Merging slashes would answer it with a redirect page in HTML.
    app.url_map.merge_slashes = False
    errors.register(app)
    hooks.register(app)
    app.register_blueprint(routes.API)
    hops = config.serving.proxy_hops
    if hops:
        proxied = ProxyFix(app.wsgi_app, x_for=hops, x_proto=hops, x_host=hops)
        app.wsgi_app = proxied  # type: ignore[method-assign]  # the way Flask documents
    return app
