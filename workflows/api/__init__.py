"""The REST API. Permission, paging and shapes; no decisions about events."""
