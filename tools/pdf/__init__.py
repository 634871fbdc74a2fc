"""The whole book as one PDF: what the built pages show on paper, bound together, printed by Chromium and checked."""
