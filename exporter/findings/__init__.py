"""What a look at every key found, and the reports that tell it: for people, auditors and machines."""
