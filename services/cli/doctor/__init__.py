"""`tapewatch doctor`: what is wrong with a deployment, and what to type about it."""
