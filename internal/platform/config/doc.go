// Package config reads what an installation sets: one struct, filled from
// defaults, then a TOML file, then PLATEAU_… environment variables, then flags.
//
// It owns the names of all settings; each has one key (http.addr) and from it
// one variable (PLATEAU_HTTP_ADDR). PLATEAU_…_FILE names a file that holds the
// value, for secrets.
//
// It refuses a file with a key it does not know, because a misspelt key would
// otherwise be a setting that silently does nothing. Unknown variables are only
// reported: container platforms make up PLATEAU_… names of their own.
package config
