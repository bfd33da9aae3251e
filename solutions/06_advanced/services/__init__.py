"""What the application does, by subject. Services raise domain errors; whoever calls them commits."""
