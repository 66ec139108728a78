"""Pictures as SVG, drawn with matplotlib: panels over one axis of time. What they show is for the callers to say.

drawing      colours, letters, heads, lines and their names: the same for all pictures
in_page      pictures that stand in a page, and their marks
page         the page itself
backtest     a replayed rollout
forecast     what is expected of one that has not begun
"""
