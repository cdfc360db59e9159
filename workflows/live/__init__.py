"""Channels consumers: the sockets that show what happens. They read rows; frames are only hints."""
