"""Answers that are kept: copied by senders, written by a process, decoded after the run. It judges no answer."""
