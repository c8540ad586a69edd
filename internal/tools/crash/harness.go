package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"time"

	"plateau/internal/tools/server"
)

// What a kill falls into.
const (
	underLoad  = "under load"
	starting   = "while starting"
	recompute  = "while judging anew"
	compaction = "while compacting"
	backingUp  = "while backing up"
	migration  = "while migrating"
)

// kinds are taken in turns.
var kinds = []string{underLoad, recompute, compaction, backingUp, underLoad, starting, migration, recompute, compaction, underLoad}

// readyWithin is how long a start after a kill may take.
const readyWithin = 20 * time.Second

type harness struct {
	bin, self string
	dir, data string
	rnd       *rand.Rand
	load      *load
	obs       *observer
	ready     []time.Duration
	limit     int // of the outlets, changed for each recompute
	r         report
}

// report is what is printed.
type report struct {
	Seed               uint64         `json:"seed"`
	Kills              map[string]int `json:"kills"`
	KillsInAll         int            `json:"kills_in_all"`
	FramesAcked        int            `json:"frames_acknowledged"`
	FramesLost         int            `json:"frames_lost"`
	FramesTwice        int            `json:"frames_twice"`
	ObservationsAcked  int            `json:"observations_created"`
	ObservationsLost   int            `json:"observations_lost"`
	ObservationsTwice  int            `json:"observations_twice"`
	Verified           int            `json:"verified"`
	JudgementWaited    int            `json:"kills_between_commit_and_judgement"`
	BackupsBrokenOff   int            `json:"backups_broken_off"`
	BackupsRestored    int            `json:"backups_restored"`
	ReadyMedianSeconds float64        `json:"ready_median_seconds"`
	ReadyMostSeconds   float64        `json:"ready_most_seconds"`
	Wrong              []string       `json:"wrong,omitempty"`
}

func (r report) verdict() error {
	if r.FramesLost+r.FramesTwice+r.ObservationsLost+r.ObservationsTwice+len(r.Wrong) > 0 {
		return fmt.Errorf("%d frames lost, %d twice, %d observations lost, %d twice, %d things wrong", r.FramesLost, r.FramesTwice, r.ObservationsLost, r.ObservationsTwice, len(r.Wrong))
	}
	return nil
}

func newHarness(bin, self, dir string, seed uint64) *harness {
	h := &harness{bin: bin, self: self, dir: dir, data: filepath.Join(dir, "data"), rnd: rand.New(rand.NewPCG(seed, 1)), obs: &observer{}}
	h.load = newLoad(time.Now().Add(-5 * 24 * time.Hour).Truncate(time.Hour))
	h.r = report{Seed: seed, Kills: map[string]int{}}
	return h
}

// within is a random time.
func (h *harness) within(most time.Duration) time.Duration {
	return time.Duration(h.rnd.Int64N(int64(most)))
}

// round is one life and its end.
func (h *harness) round(ctx context.Context, kind string) (err error) {
	switch kind {
	case migration:
		err = h.migrating(ctx)
	case starting:
		err = h.starts(ctx)
	case compaction:
		err = h.compacting(ctx)
	case recompute:
		if err = h.changeLimits(ctx); err == nil {
			err = h.live(ctx, 400*time.Millisecond, nil)
		}
	case backingUp:
		err = h.live(ctx, 600*time.Millisecond, h.backup)
	default:
		err = h.live(ctx, 1500*time.Millisecond, nil)
	}
	if err != nil {
		return err
	}
	h.r.Kills[kind]++
	h.r.KillsInAll++
	if _, err := os.Stat(filepath.Join(h.data, "telemetry")); err != nil {
		return nil // killed before there was anything
	}
	return h.verify(ctx)
}

// live starts the server, waits until it is ready, puts load on it and kills it.
// beside runs from when the load runs until it returns.
func (h *harness) live(ctx context.Context, most time.Duration, beside func(ctx context.Context, kill func()) error) error {
	s, err := server.Start(ctx, h.bin, h.data)
	if err != nil {
		return err
	}
	took, err := s.Ready(ctx, readyWithin)
	if err != nil {
		return err
	}
	h.ready = append(h.ready, took)
	lost := h.load.begin(s.HJ212)
	observed := h.obs.begin(ctx, s)
	if beside != nil {
		time.Sleep(100 * time.Millisecond)
		err = beside(ctx, s.Kill)
	} else {
		time.Sleep(h.within(most))
	}
	s.Kill()
	lost()
	return errors.Join(err, observed())
}

// backup copies the running server and meanwhile kills both or the server only,
// or lets the copy come to its end first. What is there then is whole, since the
// copy has its name from its end on, and is restored.
func (h *harness) backup(ctx context.Context, kill func()) error {
	to := filepath.Join(h.dir, "backup")
	defer func() { _ = os.RemoveAll(to); _ = os.RemoveAll(to + ".partial") }()
	cmd := exec.CommandContext(ctx, h.bin, "backup", "--data", h.data, to)
	var said bytes.Buffer
	cmd.Stderr, cmd.Stdout = &said, &said
	if err := cmd.Start(); err != nil {
		return err
	}
	switch h.rnd.IntN(3) {
	case 0:
		if err := cmd.Wait(); err != nil {
			return fmt.Errorf("a backup that nothing disturbed: %w: %s", err, said.String())
		}
		kill()
	case 1:
		time.Sleep(h.within(400 * time.Millisecond))
		_ = cmd.Process.Kill()
		kill()
		_ = cmd.Wait()
	default:
		time.Sleep(h.within(400 * time.Millisecond))
		kill()
		_ = cmd.Wait()
	}
	if _, missing := os.Stat(to); missing != nil {
		h.r.BackupsBrokenOff++
		return nil
	}
	restored := filepath.Join(h.dir, "restored")
	defer func() { _ = os.RemoveAll(restored) }()
	if out, err := exec.CommandContext(ctx, h.bin, "restore", to, "--data", restored).CombinedOutput(); err != nil {
		return fmt.Errorf("restore: %w: %s", err, out)
	}
	h.r.BackupsRestored++
	return nil
}

// starts kills the server while it opens its folder.
func (h *harness) starts(ctx context.Context) error {
	s, err := server.Launch(ctx, h.bin, h.data)
	if err != nil {
		return err
	}
	time.AfterFunc(h.within(300*time.Millisecond), s.KillSoon)
	if err := s.Announced(readyWithin); err != nil && !s.Killed() {
		return err
	}
	s.Kill()
	return nil
}

// verify lets the program itself judge what is on the disk.
func (h *harness) verify(ctx context.Context) error {
	out, err := exec.CommandContext(ctx, h.bin, "verify", "--data", h.data).CombinedOutput()
	if err != nil {
		return fmt.Errorf("verify: %w: %s", err, out)
	}
	if bytes.Contains(out, []byte("waiting:")) {
		h.r.JudgementWaited++
	}
	h.r.Verified++
	return nil
}

// finish starts once more, and counts.
func (h *harness) finish(ctx context.Context) error {
	s, err := server.Start(ctx, h.bin, h.data)
	if err != nil {
		return err
	}
	if _, err := s.Ready(ctx, readyWithin); err != nil {
		return err
	}
	err = h.obs.check(ctx, s, &h.r)
	if err := errors.Join(err, s.Stop()); err != nil {
		return err
	}
	if err := h.verify(ctx); err != nil {
		return err
	}
	if err := h.countFrames(); err != nil {
		return err
	}
	slices.Sort(h.ready)
	if n := len(h.ready); n > 0 {
		h.r.ReadyMedianSeconds, h.r.ReadyMostSeconds = h.ready[n/2].Seconds(), h.ready[n-1].Seconds()
	}
	h.r.Wrong = append(h.r.Wrong, h.load.wrong...)
	return nil
}

// compactPart is this program as the victim of a kill while it compacts.
const compactPart = "compact-part"

func (h *harness) compacting(ctx context.Context) error {
	if _, err := os.Stat(filepath.Join(h.data, "telemetry")); err != nil {
		return nil
	}
	cmd := exec.CommandContext(ctx, h.self, compactPart, h.data)
	out, err := cmd.StdoutPipe()
	if err != nil {
		return err
	}
	cmd.Stderr = os.Stderr
	if err := cmd.Start(); err != nil {
		return err
	}
	if _, err := io.ReadFull(out, make([]byte, 1)); err != nil { // it has begun
		return fmt.Errorf("compact: %w", errors.Join(err, cmd.Wait()))
	}
	time.Sleep(h.within(60 * time.Millisecond))
	_ = cmd.Process.Kill()
	_ = cmd.Wait()
	return nil
}
