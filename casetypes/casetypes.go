// Package casetypes holds the case types that come with the program: one YAML file
// for each version of a type, named KIND.VERSION.yaml. docs/case-types.md describes
// the format; package casework reads it.
//
// A file that cases were opened with is never changed but for its effective_to: a
// case stays on its version. What changes is a new file.
package casetypes

import (
	"embed"
	"io/fs"
)

//go:embed *.yaml
var files embed.FS

// Files is the folder of the types.
func Files() fs.FS { return files }
