"""Programs that string the parts together: demo, compare, compress, plan, cost, classify."""
