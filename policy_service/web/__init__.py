"""The web room: Flask, and what it mounts."""

from policy_service.web.application import create_app

__all__ = ["create_app"]
