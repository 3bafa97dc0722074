"""What parts of tapewatch cost, as ratios within one run."""
