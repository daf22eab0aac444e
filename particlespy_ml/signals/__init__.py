"""Signal classes that HyperSpy knows: doors to the verbs."""
