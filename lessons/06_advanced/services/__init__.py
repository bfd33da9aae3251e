"""What the application does, by subject. Services raise domain errors; whoever calls them commits."""

# TODO 6.3: BaseService, in base.py.
