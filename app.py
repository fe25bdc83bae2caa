"""The service as a WSGI application, for any WSGI server: `gunicorn app:app`, `granian --interface wsgi app:app`."""

from policy_service.web import create_app

app = create_app()
