"""Simulated Slack: the part of the Web API that posts and edits messages, incoming webhooks, and a page to look at."""
