"""From keypoints to candidates: spans in which a person may show a micro-gesture."""
