"""The project's knowledge: data with provenance, tables computed from them, and documents rendered from both."""
