"""What every service shares: who may call, limits, errors, certificates."""
