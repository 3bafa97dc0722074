"""What people read: pure functions from alerts and facts to messages, in every language of `wording`."""
