"""Simulated Upbit: WebSocket and REST as its documentation and probes of the live wire describe them."""
