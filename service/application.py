"""The application's class: Flask, without what it finds out anew for each request although it is always the same."""

from collections.abc import Callable
from typing import Any

from flask import Flask, Request
from werkzeug.routing import MapAdapter


class Service(Flask):
    """What follows from the name of a host is kept: the same few names come again and again."""

    # A client can offer any number of names.
    KEPT = 64

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._known: dict[tuple[str, str, str], tuple[str, Any]] = {}

    def ensure_sync(self, func: Callable[..., Any]) -> Callable[..., Any]:
        """As it is: nothing here is asynchronous, which Flask would look for in each function of each request."""
        return func

    def create_url_adapter(self, request: Request | None) -> MapAdapter | None:
        """Flask's own (it checks, splits and encodes the name), or one like that which it made for the same name."""
        environ = request.environ if request else {}
        if request is None or "HTTP_HOST" not in environ or "HTTP_UPGRADE" in environ:
            return super().create_url_adapter(request)
        named = (environ["wsgi.url_scheme"], environ["HTTP_HOST"], environ.get("SCRIPT_NAME", ""))
        known = self._known.get(named)
        if known is None:
            adapter = super().create_url_adapter(request)
            if len(self._known) >= self.KEPT:
                self._known.clear()
            self._known[named] = (request.host, adapter)
            return adapter
        request.host, like = known
        path, query = (_decoded(environ.get(name, "")) for name in ("PATH_INFO", "QUERY_STRING"))
        return MapAdapter(
            self.url_map,
            like.server_name,
            like.script_name,
            like.subdomain,
            like.url_scheme,
            path,
            environ["REQUEST_METHOD"],
            query,
        )


def _decoded(text: str) -> str:
    """What a server took for Latin-1 is UTF-8 (PEP 3333)."""
    return text.encode("latin1").decode(errors="replace")
