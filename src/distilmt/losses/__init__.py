"""Distillation losses: each has one reference implementation and, where it matters, a fast one."""
