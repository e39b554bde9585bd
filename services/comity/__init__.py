"""An exchange for booking photographs that honours sealing orders, and can prove it."""
