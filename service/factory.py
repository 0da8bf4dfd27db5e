"""The application factory. Importing it has no effect, unlike ``service.app``, which starts one."""

from flask import Flask, Request, Response
from flask.sessions import NullSession, SessionInterface, SessionMixin
from werkzeug.middleware.proxy_fix import ProxyFix

from service import errors, hooks, routes
from service.application import Service
from service.settings import Config


class NoSessions(SessionInterface):
    """Neither reads nor signs a cookie, which Flask would do around every request; nothing here is remembered."""

    def open_session(self, app: Flask, request: Request) -> SessionMixin:
        """One that refuses to be written to."""
        del app, request
        return NullSession()

    def save_session(self, app: Flask, session: SessionMixin, response: Response) -> None:
        """There is nothing in it."""


def create_app(config: Config) -> Flask:
    """Build the service for ``config``; two applications share nothing but the drain."""
    app = Service(__name__, static_folder=None)
    app.session_interface = NoSessions()
    app.config.from_mapping(
        SECRET_KEY=config.credentials.secret_key,
        TESTING=config.TESTING,
        # Every method that answers is in the OpenAPI document; Flask's own OPTIONS would not be.
        PROVIDE_AUTOMATIC_OPTIONS=False,
        SETTINGS=config,
    )
    # "/echo//x" is an unknown path. Merging slashes would answer it with a redirect page in HTML.
    app.url_map.merge_slashes = False
    errors.register(app)
    app.register_blueprint(routes.API)
    served = hooks.register(app, config)
    hops = config.serving.proxy_hops
    if hops:
        # Outermost, so that the log and the headers are about the client and not about the proxy.
        served = ProxyFix(served, x_for=hops, x_proto=hops, x_host=hops)
    app.wsgi_app = served  # type: ignore[method-assign,assignment]  # the way Flask documents
    return app
