"""How pages look that this package writes: one style, in the page itself."""

STYLE = """
body { font: 15px/1.5 system-ui, sans-serif; max-width: 70rem; margin: 2rem auto; padding: 0 1rem; color: #222; }
table { border-collapse: collapse; font-size: 13px; } th, td { padding: 2px 8px; text-align: right; }
th { border-bottom: 1px solid #888; } tbody tr:nth-child(even) { background: #f4f4f4; }
.scroll { max-height: 30rem; overflow: auto; border: 1px solid #ccc; } img { max-width: 100%; }
figure { display: inline-block; margin: 0 1rem 1rem 0; max-width: 32rem; vertical-align: top; }
figcaption, .small { font-size: 13px; color: #555; } pre { white-space: pre-wrap; font-size: 13px; }
"""
