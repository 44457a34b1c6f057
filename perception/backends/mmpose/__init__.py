"""Whole-body keypoints with RTMPose and RTMW: by mmpose's own networks, or by ONNX Runtime from an exported file."""
