"""The way to the nodes: transport, submitting, receipts, what a refusal says."""
