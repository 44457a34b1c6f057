"""The web and the disk -> video files with a source: the one place that follows links."""
