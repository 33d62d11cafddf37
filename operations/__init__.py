"""Day 2: what people and delivery do to a live account, real or rehearsed; boto3 clients and plain values come in."""
