package quality

// Code2017 is the code of 2017 by which rules and limits know a factor that may
// be registered by its code of 2005; a code without successor stays.
func Code2017(code string) string { return canon(code) }
