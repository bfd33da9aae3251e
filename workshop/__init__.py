"""The tool of the workshop: it renders lessons, runs apps, compares them and reports to the learner."""
