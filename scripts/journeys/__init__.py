"""The demo: five carnets, six replicas, real processes, faults on the way, one report."""
