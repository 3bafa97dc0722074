"""`tapewatch demo`: the whole product on this machine, shown live, then reconciled against what was published."""
