"""``revalida``, the command line client and operator's tool."""
