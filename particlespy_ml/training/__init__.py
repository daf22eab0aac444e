"""Training and evaluation of the bundled models. Analysis never imports this room."""
