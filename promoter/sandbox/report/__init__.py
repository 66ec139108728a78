"""The demo's report: one page with pictures that needs nothing but itself."""
