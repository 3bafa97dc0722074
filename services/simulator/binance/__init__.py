"""Simulated Binance spot: WebSocket and REST as its documentation describes them."""
