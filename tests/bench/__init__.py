"""Speed, measured as ratios to Node-RED in the same sitting. Not part of the tests."""
