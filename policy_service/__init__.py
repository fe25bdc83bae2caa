"""A self-hosted service in which every rule about access is a versioned file."""

__version__ = "0.1.0"
