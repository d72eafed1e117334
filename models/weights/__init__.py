"""How a model's files get from their publisher into the deployment's bucket, and from there onto a worker's disk.

`pull` is the operator's half, `cache` the worker's; the manifest that the one writes last is what the other trusts.
Neither torch nor a family is imported here, so that the command line can load it. `models.common.weights` is another
concern: it checks a folder's layout before a model is loaded from it.
"""
