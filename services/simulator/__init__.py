"""Simulated Upbit, Binance and Slack on loopback: the real protocols with their traps, and a log of the truth.

It reads the exchanges' documents on its own and shares no parsing or encoding with the producer's adapters,
so that a misreading on either side shows.
"""
