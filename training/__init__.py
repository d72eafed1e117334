"""How the shipped miniature models are made: their world, their captions, their judge and their trainers."""
