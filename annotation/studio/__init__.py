"""Label Studio itself: its environment, its server and its API."""
