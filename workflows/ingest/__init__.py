"""The lean ASGI doors through which events come in. No Django middleware, no page."""
