"""Who is in a video and how their match ended, from its title, description, channel and date."""
