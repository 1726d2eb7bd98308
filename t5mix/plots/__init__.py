"""Pictures: what a mixture will draw, and how a run went. matplotlib is loaded when one is drawn."""
