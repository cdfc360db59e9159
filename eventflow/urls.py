"""The URL map."""

urlpatterns: list[object] = []
