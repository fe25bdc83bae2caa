"""The do-nothing view that decisions over HTTP are held against."""

from flask import Flask

app = Flask(__name__)


@app.post("/access/v1/evaluation")
def answer() -> tuple[bytes, int, dict[str, str]]:
    """The same answer to everybody."""
    return b'{"decision":true}', 200, {"content-type": "application/json"}
