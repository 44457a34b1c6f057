"""The only code that opens a video file: probing, exact decoding, proxies, clips, and the store of files by digest."""
