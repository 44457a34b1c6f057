from tests.labelstudio_server import review_layout, review_server

__all__ = ["review_layout", "review_server"]
