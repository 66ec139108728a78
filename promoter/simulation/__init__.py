"""Rollouts in a closed loop over requests that never happened: what a policy does, measured before it is relied on.

The decisions are those that run live; only the traffic is drawn. It needs NumPy, the `simulate` extra.
"""
