"""How models learn: from windows without labels, then from what people verified."""
