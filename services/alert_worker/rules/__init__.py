"""The rules there are, in the order in which an alert names them, each with its defaults."""

from services.alert_worker.rules.base import Rule
from services.alert_worker.rules.drift import Drift
from services.alert_worker.rules.jump import Jump
from services.alert_worker.rules.move import Move
from services.alert_worker.rules.move_abs import MoveAbs

RULES: tuple[Rule, ...] = (Move(), MoveAbs(), Jump(), Drift())

RULE_VERSION = "moves/9"
"""Part of every id: raise it when the same trades shall give other alerts. Rules that were told otherwise have a longer
one, see `ruleset.Ruleset.version`."""
