"""Components that come with the framework, and what they are built from; written as a user would."""
