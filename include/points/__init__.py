"""Points: stage, curve, weight, totals, ranks and lists. Pure: tables in, tables out; no value is recomputed here."""
