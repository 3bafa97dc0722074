"""Histories played to the detectors and to naive rules: what they would have told, how early and how often."""
