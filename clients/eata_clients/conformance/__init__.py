"""Playing the public vectors on a live sandbox, and comparing what it answers."""
