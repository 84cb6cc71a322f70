"""The logs of a host as lines with a time each: the journal of the apps, and what nginx writes."""
