"""The ``APP`` that servers and function runtimes look for, made from the environment."""

from service import logs
from service.factory import create_app
from service.settings import current

__all__ = ["APP", "create_app"]

logs.configure()
APP = create_app(current())
