"""How we ask TMC: one method per endpoint, within the budget, answered in our own words."""
