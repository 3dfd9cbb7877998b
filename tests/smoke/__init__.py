"""The smoke run: a whole Twofold, a capture replayed through it, and every answer compared with the oracle."""
