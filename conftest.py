"""Nothing lives here: the plugin registers itself, and fixtures stand where they are used."""
