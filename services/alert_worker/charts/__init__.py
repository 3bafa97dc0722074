"""Candle charts as PNG pictures. Matplotlib is imported only where one is drawn: long-lived processes do without it."""
