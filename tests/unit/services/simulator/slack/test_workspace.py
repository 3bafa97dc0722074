import pytest

from services.simulator.slack.validate import Refused
from services.simulator.slack.workspace import Workspace


@pytest.fixture
def workspace() -> Workspace:
    return Workspace(["#alerts", "ops"])


def test_channels_by_id_and_by_name(workspace: Workspace) -> None:
    alerts = workspace.channels[0]
    assert workspace.channel("#alerts") is workspace.channel("alerts") is workspace.channel(alerts.channel_id) is alerts
    for unknown in ("", None, "#nope", "#"):
        with pytest.raises(Refused, match="channel_not_found"):
            workspace.channel(unknown)


def test_timestamps_are_unique_because_they_are_ids(workspace: Workspace) -> None:
    posted = [workspace.post(workspace.channels[0], {"text": str(n)}, 1_700_000_000_000_000) for n in range(3)]
    assert [message.ts for message in posted] == ["1700000000.000000", "1700000000.000001", "1700000000.000002"]


def test_an_update_changes_in_place_and_is_counted(workspace: Workspace) -> None:
    channel = workspace.channels[0]
    message = workspace.post(channel, {"text": "open"}, 1)
    workspace.update(channel, {"ts": message.ts, "text": "resolved"}, 2)
    assert [(m.text, m.edits) for m in channel.messages] == [("resolved", 1)]
    assert (workspace.counts["messages"], workspace.counts["updates"]) == (1, 1)
    with pytest.raises(Refused, match="message_not_found"):
        workspace.update(channel, {"ts": "1.0", "text": "x"}, 3)


def test_a_reply_needs_its_parent(workspace: Workspace) -> None:
    with pytest.raises(Refused, match="thread_not_found"):
        workspace.post(workspace.channels[0], {"text": "x", "thread_ts": "1.0"}, 1)


def test_a_picture_can_be_shown_once_its_upload_is_complete_and_worked_on(workspace: Workspace) -> None:
    channel, file = workspace.channels[0], workspace.new_file("a.png")
    block = {"type": "image", "slack_file": {"id": file.file_id}, "alt_text": "a"}

    def post(now_us: int) -> None:
        workspace.post(channel, {"text": "x", "blocks": [block]}, now_us)

    file.content = b"\x89PNG"
    with pytest.raises(Refused, match="invalid_blocks"):
        post(0)
    workspace.complete(file, "a", 1_000_000)
    with pytest.raises(Refused, match="invalid_blocks"):
        post(1_000_001)
    post(2_000_000)
    file.content = b"no picture"
    with pytest.raises(Refused, match="invalid_blocks"):
        post(2_000_000)


def test_an_empty_upload_cannot_be_completed(workspace: Workspace) -> None:
    with pytest.raises(Refused, match="file_not_found"):
        workspace.complete(workspace.new_file("a.png"), "a", 1)


def test_what_is_kept_is_bounded(workspace: Workspace) -> None:
    for number in range(1_200):
        workspace.post(workspace.channels[0], {"text": "x"}, number)
        workspace.new_file("a.png")
    assert len(workspace.channels[0].messages) == 1_000
    assert len(workspace.files) == 50
    assert workspace.counts["messages"] == 1_200
