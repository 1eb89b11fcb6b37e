"""What lies outside: models, tools, and the runtime that lets agents use them."""
