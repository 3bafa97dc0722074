"""`tapewatch explain`: what the detectors saw around a time, and why people were told or not."""
