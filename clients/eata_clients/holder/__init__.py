"""The holder's client: wallet, keystore, devices, travels, evidence."""
