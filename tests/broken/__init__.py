"""Broken policy files, and the findings each must give."""
