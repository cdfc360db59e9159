"""The pages: htmx views, forms and the inspector."""
