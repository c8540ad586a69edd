package main

import (
	"errors"
	"flag"
	"fmt"
)

// newFlags makes a flag set whose --help prints what the command does, its
// flags and an example.
func newFlags(std stdio, name, synopsis, about, example string) *flag.FlagSet {
	fs := flag.NewFlagSet(name, flag.ContinueOnError)
	fs.SetOutput(std.Err)
	fs.Usage = func() {
		w := fs.Output()
		fmt.Fprintf(w, "Usage: plateau %s\n\n%s\n", synopsis, about)
		any := false
		fs.VisitAll(func(*flag.Flag) { any = true })
		if any {
			fmt.Fprint(w, "\nFlags:\n")
			fs.PrintDefaults()
		}
		fmt.Fprintf(w, "\nExample:\n\n  %s\n", example)
	}
	return fs
}

// parse reads the flags; done is true when the command has nothing more to do
// (help was asked for, or the call was wrong) and code is then its exit code.
func parse(fs *flag.FlagSet, args []string, std stdio, maxArgs int) (code int, done bool) {
	for _, a := range args {
		if a == "--" {
			break
		}
		if a == "-h" || a == "--help" || a == "-help" {
			fs.SetOutput(std.Out)
			fs.Usage()
			return 0, true
		}
	}
	switch err := fs.Parse(args); {
	case errors.Is(err, flag.ErrHelp):
		return 0, true
	case err != nil:
		return 2, true
	}
	if fs.NArg() > maxArgs {
		fmt.Fprintf(std.Err, "plateau %s: unexpected %q; see plateau %s --help\n", fs.Name(), fs.Arg(maxArgs), fs.Name())
		return 2, true
	}
	return 0, false
}

// fail prints one line that says what went wrong and returns exit code 1.
func fail(std stdio, name string, err error) int {
	fmt.Fprintf(std.Err, "plateau %s: %v\n", name, err)
	return 1
}
