"""The runaway command: starts, disrupts, watches, judges and reports."""
