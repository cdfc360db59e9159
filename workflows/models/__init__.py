"""The Django models: tables and constraints, no queries."""
