"""The drop folder: files below `inbox/` to jobs, receipts and results (formats: docs/drop-folder.md)."""
