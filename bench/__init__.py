"""Figures as ratios measured side by side in one run: `make bench` prints them and writes `bench/RESULTS.md`."""
