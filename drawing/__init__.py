"""Pictures made from the data: skeletons, overlays, review clips, contact sheets."""
