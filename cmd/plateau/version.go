package main

import (
	"fmt"
	"runtime"
	"runtime/debug"
)

// version is the release; the build adds the commit it was made from.
const version = "0.1.0"

func cmdVersion(args []string, std stdio) int {
	fs := newFlags(std, "version", "version", "Prints the version, the commit it was built from and the Go release.", "plateau version")
	if code, done := parse(fs, args, std, 0); done {
		return code
	}
	commit := "unknown commit"
	if bi, ok := debug.ReadBuildInfo(); ok {
		for _, s := range bi.Settings {
			if s.Key == "vcs.revision" && len(s.Value) >= 12 {
				commit = s.Value[:12]
			}
		}
	}
	fmt.Fprintf(std.Out, "plateau %s (%s, %s, %s/%s)\n", version, commit, runtime.Version(), runtime.GOOS, runtime.GOARCH)
	return 0
}
