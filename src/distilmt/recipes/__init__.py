"""Programs that combine the packages: demo, compare, compress, plan, cost, classify."""
