"""`tapewatch status`: how a running deployment is, at one look or again and again."""
