"""Indicators: arithmetic over one enterprise's measures, as the scheme's formulas say. No joins, no filters, no I/O."""
