"""One file per fault: how it is brought about, and what `node doctor` must say of it."""
