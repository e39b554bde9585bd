"""The exchange's rules, pure: standard library only, no clock, no I/O."""
