import re
import subprocess
import sys

from services.consumer.sinks.owner import is_surely_gone, new_token


def test_this_process_is_not_gone() -> None:
    assert not is_surely_gone(new_token())


def test_no_two_tokens_are_the_same() -> None:
    assert new_token() != new_token()


def test_a_process_that_ended_is_gone() -> None:
    told = subprocess.run(
        [sys.executable, "-c", "from services.consumer.sinks.owner import new_token; print(new_token())"],
        check=True,
        capture_output=True,
        text=True,
    )

    assert is_surely_gone(told.stdout.strip())


def test_a_process_id_that_was_given_again_is_another_process() -> None:
    machine, pid, start, nonce = new_token().split(".")

    assert is_surely_gone(f"{machine}.{pid}.{int(start) - 1}.{nonce}")


def test_of_another_machine_nothing_is_known() -> None:
    token = re.sub(r"^[0-9a-f]{12}", "0" * 12, new_token())

    assert not is_surely_gone(token.replace(".", ".9", 1))


def test_a_token_that_is_none_of_ours_is_not_judged() -> None:
    assert not is_surely_gone("somebody")
