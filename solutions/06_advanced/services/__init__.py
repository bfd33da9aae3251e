"""What the application does, by subject. Services raise domain errors; whoever calls them commits."""

# region step 6.3: in a file of its own
# starter: # TODO 6.3: BaseService, in base.py.
# endregion
