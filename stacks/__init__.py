"""The cloud: one file is one room, one stack, one responsibility."""
