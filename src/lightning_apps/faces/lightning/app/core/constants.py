"""`lightning.app.core.constants`: what people's code reads of them."""

APP_SERVER_HOST = "http://127.0.0.1"
APP_SERVER_PORT = 7501

__all__ = ["APP_SERVER_HOST", "APP_SERVER_PORT"]
