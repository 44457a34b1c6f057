"""How many people are asked, and what is asked to measure them."""
