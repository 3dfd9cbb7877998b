"""Sources of trades: captures that are replayed and markets that are made up."""
