"""What each user may do in Redis, as lines of an ACL file. Pure.

Redis checks the commands inside a script against the same user. Nobody here may empty, configure or search the server.
"""

from hashlib import sha256
from typing import Literal

Role = Literal["writer", "reader"]
_KEYS = "resetkeys ~trades:* ~ticker:* ~orderbook:* ~position:*"
RIGHTS: dict[Role, str] = {
    "writer": f"{_KEYS} resetchannels &updates:* -@all +ping +evalsha +script|load +xadd +xdel +xrevrange +expire"
    " +hset +hget +hincrby +publish +set +get +del",
    "reader": f"{_KEYS} resetchannels &updates:* -@all +@read +@connection -@dangerous"
    " +info|memory +subscribe +unsubscribe +psubscribe +punsubscribe",
}


def rules(role: Role, password: str) -> str:
    """The rules of a user with this role, as ``ACL SETUSER`` takes them; the password as its hash."""
    return f"reset on sanitize-payload #{sha256(password.encode()).hexdigest()} {RIGHTS[role]}"


def line(role: Role, user: str, password: str) -> str:
    """The user's line in a file that Redis reads by its setting `aclfile`."""
    return f"user {user} {rules(role, password).removeprefix('reset ')}"
