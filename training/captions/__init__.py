"""Captions of the world in English and Portuguese, and the tokenizer that reads them."""
