"""``revalida doctor``: what keeps a deployment from working, before it is made and after."""
