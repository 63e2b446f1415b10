"""What a student minimises: pure functions of tensors."""
