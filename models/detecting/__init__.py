"""From what the networks say of frames to detections: chunks, pooling, edges, suppression, probabilities."""
