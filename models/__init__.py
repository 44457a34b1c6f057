"""The seed model: networks that find micro-gestures in keypoints, and how they are trained. torch lives here."""
