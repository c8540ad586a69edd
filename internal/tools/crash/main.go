// Command crash kills the server again and again at random points while loggers
// send and observations come in, starts it anew on the same folder, and counts
// what was acknowledged and is not there. It prints the counts as JSON; the exit
// code is 0 when nothing was lost and nothing was found wrong.
package main

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"
	"time"
)

func main() {
	if len(os.Args) == 3 && os.Args[1] == compactPart {
		compact(os.Args[2])
		return
	}
	bin := flag.String("bin", "bin/plateau", "the program")
	rounds := flag.Int("rounds", 100, "kills")
	seed := flag.Uint64("seed", uint64(time.Now().UnixNano()), "of what is random; printed, so that a run can be repeated")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, *bin, *rounds, *seed); err != nil {
		fmt.Fprintln(os.Stderr, "crash:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, bin string, rounds int, seed uint64) error {
	bin, err := filepath.Abs(bin)
	if err != nil {
		return err
	}
	self, err := os.Executable()
	if err != nil {
		return err
	}
	dir, err := os.MkdirTemp("", "plateau-crash-")
	if err != nil {
		return err
	}
	defer func() { _ = os.RemoveAll(dir) }()
	h := newHarness(bin, self, dir, seed)
	for n := range rounds {
		if err := h.round(ctx, kinds[n%len(kinds)]); err != nil {
			return fmt.Errorf("round %d (%s, seed %d): %w", n+1, kinds[n%len(kinds)], seed, err)
		}
		fmt.Fprintf(os.Stderr, "round %d of %d: %s, %d frames acknowledged so far\n", n+1, rounds, kinds[n%len(kinds)], h.load.count())
	}
	if err := h.finish(ctx); err != nil {
		return fmt.Errorf("seed %d: %w", seed, err)
	}
	enc := json.NewEncoder(os.Stdout)
	enc.SetIndent("", "  ")
	if err := enc.Encode(h.r); err != nil {
		return err
	}
	return h.r.verdict()
}
