"""The rules that are in force, in the order in which an alert names them."""

from services.alert_worker.rules.base import Rule
from services.alert_worker.rules.move import Move
from services.alert_worker.rules.move_abs import MoveAbs

RULES: tuple[Rule, ...] = (Move(), MoveAbs())

RULE_VERSION = "moves/3"
"""Part of every id, and of what a snapshot belongs to: raise it when the same trades shall give other alerts."""
