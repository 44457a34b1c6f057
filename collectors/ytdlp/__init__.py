"""yt-dlp: the one package that imports it."""
