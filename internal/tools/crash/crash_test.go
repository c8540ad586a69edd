package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"syscall"
	"testing"
	"time"

	"plateau/internal/app"
	"plateau/internal/testkit"
)

// TestMain lets the test binary serve as the program that is killed: "serve" and
// "verify" as the harness calls them.
func TestMain(m *testing.M) {
	if len(os.Args) == 3 && os.Args[1] == compactPart {
		compact(os.Args[2])
	}
	if len(os.Args) < 2 || os.Args[1] != "serve" && os.Args[1] != "verify" && os.Args[1] != "backup" && os.Args[1] != "restore" {
		os.Exit(m.Run())
	}
	if err := program(os.Args[1], os.Args[2:]); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	os.Exit(0)
}

func program(command string, args []string) error {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM)
	defer stop()
	flags, names := map[string]string{}, map[string]string{"--data": "data", "--http": "http.addr", "--hj212": "hj212.addr"}
	at := ""
	for i := 0; i < len(args); i++ {
		switch key, known := names[args[i]]; {
		case known:
			i++
			flags[key] = args[i]
		case args[i] == "--adopt-unknown":
			flags["hj212.adopt_unknown"] = "true"
		default:
			at = args[i]
		}
	}
	o := app.Options{Env: os.Environ(), Flags: flags, Stdout: os.Stdout, Stderr: os.Stderr}
	switch command {
	case "serve":
		return app.Run(ctx, o)
	case "backup":
		_, err := app.Backup(ctx, o, at, nil)
		return err
	case "restore":
		_, err := app.Restore(ctx, o, at, nil, nil)
		return err
	}
	journal, err := app.Verify(ctx, o)
	if err != nil || !journal.OK() {
		return errors.Join(fmt.Errorf("journal: %q", journal.Faults), err)
	}
	judged, err := app.VerifyJudgement(ctx, o, nil)
	if err != nil || !judged.OK() {
		return errors.Join(fmt.Errorf("judgement: %q", judged.Faults), err)
	}
	entities, err := app.VerifyEntities(ctx, o)
	if err != nil || !entities.OK() {
		return errors.Join(fmt.Errorf("entities: %q", entities.Faults), err)
	}
	if judged.Waiting+judged.Pending > 0 {
		fmt.Println("waiting: something")
	}
	return nil
}

// TestCrash kills the program ten times at random points; "make crash" does so a
// hundred times with the program as it is shipped.
func TestCrash(t *testing.T) {
	t.Parallel()
	if testkit.Race {
		t.Skip("a watched program is killed under load in package app; this test runs without the race detector")
	}
	h := newHarness(os.Args[0], os.Args[0], t.TempDir(), uint64(time.Now().UnixNano()))
	rounds := 10
	if testing.Short() {
		rounds = 3
	}
	for n := range rounds {
		if err := h.round(t.Context(), kinds[n%len(kinds)]); err != nil {
			t.Fatalf("round %d (%s, seed %d): %v", n+1, kinds[n%len(kinds)], h.r.Seed, err)
		}
	}
	if err := h.finish(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := h.r.verdict(); err != nil {
		t.Errorf("seed %d: %v: %+v", h.r.Seed, err, h.r)
	}
	if h.r.FramesAcked == 0 || h.r.ObservationsAcked == 0 || rounds == 10 && h.r.JudgementWaited == 0 {
		t.Errorf("nothing was put to the proof: %+v", h.r)
	}
	t.Logf("%+v", h.r)
}
