"""The routes of the serving API, by what they are about."""
