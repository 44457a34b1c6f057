"""People found by any detector that ultralytics loads, followed with ByteTrack or BoT-SORT."""
