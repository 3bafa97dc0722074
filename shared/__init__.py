"""The contract that the services meet on, and the plumbing that each of them needs. Knows no service."""
