"""The rules of the carnet as pure functions: vocabulary, items, sets, balances, reconciliation, transit."""
