package testkit

import (
	"os"
	"path/filepath"
	"runtime"
	"testing"
)

// Shared returns the folder with the real data sets and captured frames that
// are not part of the repository (PLATEAU_SHARED, by default the folder
// "shared" beside the checkout). Where it is absent the test is skipped, but
// with CI=true it fails: a build must not be green because data were missing.
func Shared(tb testing.TB) string {
	tb.Helper()
	dir := os.Getenv("PLATEAU_SHARED")
	if dir == "" {
		dir = filepath.Join(Root(), "..", "shared")
	}
	if _, err := os.Stat(filepath.Join(dir, "testdata")); err != nil {
		if os.Getenv("CI") == "true" {
			tb.Fatalf("real data not found in %s (set PLATEAU_SHARED): %v", dir, err)
		}
		tb.Skipf("real data not found in %s; set PLATEAU_SHARED to run this test", dir)
	}
	return dir
}

// Root returns the repository's root folder.
func Root() string {
	_, file, _, _ := runtime.Caller(0)
	return filepath.Join(filepath.Dir(file), "..", "..")
}
