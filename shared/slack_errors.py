"""What Slack's words for a refusal are about (docs.slack.dev, chat.postMessage and incoming webhooks). Pure.

Words that are in neither set are about the channel, the token or Slack itself: they meet every message.
"""

OF_THREAD = frozenset({
    "thread_not_found", "message_not_found", "invalid_thread_ts", "cannot_reply_to_message", "thread_locked",
    "restricted_action_thread_locked", "restricted_action_non_threadable_channel",
})  # fmt: skip
"""The message that is answered is gone, or takes no answers: the same on top is taken."""
OF_MESSAGE = frozenset({
    "invalid_blocks", "invalid_blocks_format", "msg_blocks_too_long", "msg_too_long", "no_text", "invalid_payload",
    "invalid_attachments", "too_many_attachments", "attachment_payload_limit_exceeded", "markdown_text_conflict",
    "slack_connect_canvas_sharing_blocked", "slack_connect_file_link_sharing_blocked",
    "slack_connect_lists_sharing_blocked",
})  # fmt: skip
"""The message itself is refused, and will be again; another one is not."""
