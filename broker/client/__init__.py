"""The partner's side: keys, authentication, pull, open, doctor. Runs without the server's code."""
