package sdk

// Size is a number of bytes in a config struct; it is written 256MB or 1GiB.
type Size int64
